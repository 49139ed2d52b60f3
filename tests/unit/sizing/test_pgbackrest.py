"""What works in the database's container is in the proof, and takes no more than a small part."""

from itertools import pairwise

import pytest

from profiles import MIB, changed, sized
from stackctl.sizing.model import Verdict
from stackctl.sizing.pgbackrest import memory_items, workers


def taken(profile):
    return [item.size // MIB for item in sized(profile).memory.items if item.name == "pgbackrest"]


def test_it_is_counted_only_where_it_takes_the_backups():
    """4 CPUs: two workers for each of two commands, of 16 MiB each, beside 24 MiB for the commands."""
    assert taken(changed()) == []
    assert taken(changed(pgbackrest=True)) == [24 + 2 * 2 * 16]


@pytest.mark.parametrize(("cpus", "ram_mib", "number"), [(1, 16384, 1), (4, 16384, 2), (16, 65536, 8), (64, 2048, 1)])
def test_half_of_the_cpus_work_as_far_as_memory_goes(cpus, ram_mib, number):
    assert workers(changed(cpus=cpus, ram_mib=ram_mib)) == number


@pytest.mark.parametrize("ram_mib", [1024, 1500, 2048, 4096, 16384, 65536])
def test_the_proof_holds_with_it(ram_mib):
    sizing = sized(changed(ram_mib=ram_mib, cpus=16, app_workers=1, pgbackrest=True))
    assert sizing.memory.verdict is not Verdict.FAIL
    limit = sizing.share("postgres").memory
    assert taken(sizing.profile)[0] <= 24 + max(32, limit // 16 // MIB + 1)


def test_it_takes_a_sixteenth_of_what_is_added_and_no_step():
    """So that more memory leaves more for everything else."""
    sizes = [memory_items(changed(ram_mib=mib, cpus=64, pgbackrest=True))[0].size for mib in range(2048, 9000, 16)]
    assert all(0 <= after - before <= MIB + 1 for before, after in pairwise(sizes))
    assert sizes[0] < sizes[-1]
