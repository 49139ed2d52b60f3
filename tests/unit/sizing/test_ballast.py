"""How much of the disk is held back."""

import pytest

from stackctl.sizing.ballast import ballast_size

MIB, GIB = 2**20, 2**30


@pytest.mark.parametrize(
    ("disk", "held"),
    [
        (0, 64 * MIB),
        (5 * GIB, 64 * MIB),
        (10 * GIB, 102 * MIB),
        (100 * GIB, GIB),
        (20_000 * GIB, GIB),
    ],
)
def test_a_hundredth_of_the_disk_from_64_mib_to_one_gib(disk, held):
    assert ballast_size(disk) == held
