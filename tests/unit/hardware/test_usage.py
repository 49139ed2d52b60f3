"""What a container uses, from the files of its cgroup as the kernel writes them."""

import pytest

from stackctl.hardware.usage import CGROUP_FILES, Usage, of_cgroup

ROOT = "/sys/fs/cgroup"
# Copied from a container of 1.5 CPUs and 512 MiB, shortened.
SECOND = {
    "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 12\n",
    "cpu.max": "150000 100000\n",
    "memory.current": "104857600\n",
    "memory.max": "536870912\n",
    "memory.stat": "anon 20971520\nfile 83886080\ninactive_file 41943040\nactive_file 41943040\n",
    "memory.events": "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n",
}
FIRST = {
    "cpuacct/cpuacct.usage": "2500000000\n",
    "cpu/cpu.cfs_quota_us": "150000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "memory/memory.usage_in_bytes": "104857600\n",
    "memory/memory.limit_in_bytes": "536870912\n",
    "memory/memory.stat": "cache 83886080\nrss 20971520\ntotal_inactive_file 41943040\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
}


def files(texts):
    return dict.fromkeys(CGROUP_FILES) | {f"{ROOT}/{name}": text for name, text in texts.items()}


@pytest.mark.parametrize("texts", [SECOND, FIRST], ids=["version 2", "version 1"])
def test_a_container_with_limits(texts):
    found = of_cgroup(files(texts))
    assert (found.cpu_seconds, found.cpu_limit) == (2.5, 1.5)
    # 100 MiB less 40 MiB of file cache that was not used lately, of 512 MiB
    assert (found.memory, found.memory_limit, found.oom_kills) == (62_914_560, 536_870_912, 1)


@pytest.mark.parametrize(
    "texts",
    [
        {**SECOND, "cpu.max": "max 100000\n", "memory.max": "max\n"},
        {**FIRST, "cpu/cpu.cfs_quota_us": "-1\n", "memory/memory.limit_in_bytes": "9223372036854771712\n"},
    ],
)
def test_a_container_without_limits(texts):
    found = of_cgroup(files(texts))
    assert (found.cpu_limit, found.memory_limit) == (None, None)


def test_the_machines_own_cgroup_is_none_of_a_container():
    # The root has the statistics and none of the limits; its CPU time would be that of all containers together.
    assert of_cgroup(files({"cpu.stat": SECOND["cpu.stat"], "memory.stat": SECOND["memory.stat"]})) is None


def test_no_files_are_no_usage():
    assert of_cgroup(files({})) is None


def test_a_server_that_was_started_anew_counts_from_nothing():
    """A container's account goes on over a crash of its server; that of processes ends with them."""
    assert Usage(7.5, 0).cpu_seconds_since(Usage(5.0, 0)) == 2.5
    assert Usage(1.5, 0).cpu_seconds_since(Usage(5.0, 0)) == 1.5
