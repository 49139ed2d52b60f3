"""Limits in trees of cgroups as real systems have them, copied into a folder."""

import os

import pytest

from stackctl.hardware import cgroup, detect

GIB = 2**30
UNLIMITED = "9223372036854771712"
MEMINFO = "MemTotal:       25165824 kB\nMemFree:  1 kB\nMemAvailable:   20971520 kB\nHugePages_Total:       0\n"
V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:11 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd\n"
)
HYBRID = V1 + "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"


@pytest.fixture
def machine(tmp_path):
    """Makes a machine of 24 GiB: /proc/self/cgroup, mountinfo, and the files of the cgroups below /sys/fs/cgroup."""

    def make(own, mounts, files=None, point="sys/fs/cgroup"):
        everything = {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": own,
            "proc/self/mountinfo": "23 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n" + mounts,
            **{f"{point}/{name}": text for name, text in (files or {}).items()},
        }
        for name, text in everything.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return make


@pytest.fixture(autouse=True)
def six_cpus(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(6)))
    monkeypatch.setattr(os, "cpu_count", lambda: 6)


SERVICE = "0::/system.slice/shop.service\n"
SHOP, SLICE = "system.slice/shop.service/memory.max", "system.slice/memory.max"
HIGH = "system.slice/shop.service/memory.high"
TOP_V1, SHOP_V1 = "memory/memory.limit_in_bytes", "memory/shop/memory.limit_in_bytes"
A_V1, AB_V1 = "memory/a/memory.limit_in_bytes", "memory/a/b/memory.limit_in_bytes"
DOCKER_V1 = "4:memory:/docker/0abc\n3:cpuset:/\n1:cpu,cpuacct:/docker/0abc\n0::/docker/0abc\n"


@pytest.mark.parametrize(
    ("own", "mounts", "files", "gib"),
    [
        # version 2: the process's own cgroup, its parent, the lower of both, and none
        (SERVICE, V2, {SHOP: f"{2 * GIB}\n"}, 2),
        (SERVICE, V2, {SHOP: "max\n", SLICE: f"{3 * GIB}"}, 3),
        (SERVICE, V2, {SHOP: f"{4 * GIB}", SLICE: f"{3 * GIB}"}, 3),
        (SERVICE, V2, {SHOP: f"{2 * GIB}", SLICE: f"{3 * GIB}"}, 2),
        (SERVICE, V2, {SHOP: "max\n"}, 24),
        (SERVICE, V2, {SHOP: f"{30 * GIB}"}, 24),
        (SERVICE, V2, {"system.slice/other.service/memory.max": f"{GIB}"}, 24),
        # systemd's MemoryHigh
        (SERVICE, V2, {HIGH: f"{GIB}", SHOP: "max"}, 1),
        # a container with a cgroup namespace: its root is the top
        ("0::/\n", V2, {"memory.max": f"{2 * GIB}\n"}, 2),
        # one whose namespace began elsewhere, seen from inside and from outside
        ("0::/\n", V2.replace("0:28 /", "0:28 /../.."), {"memory.max": f"{2 * GIB}\n"}, 2),
        ("0::/../pod7\n", V2, {"memory.max": f"{2 * GIB}\n"}, 2),
        # a container without a namespace: the mount shows a part of the tree
        ("0::/docker/0abc\n", V2.replace("0:28 /", "0:28 /docker/0abc"), {"memory.max": f"{2 * GIB}\n"}, 2),
        ("0::/docker/0abc/job\n", V2.replace("0:28 /", "0:28 /docker/0abc"), {"job/memory.max": f"{GIB}"}, 1),
        # a part that is not this process's own, beside the whole tree
        (SERVICE, V2.replace("0:28 / /sys/fs/cgroup", "0:28 /docker/0abc /mnt") + V2, {"memory.max": "max"}, 24),
        # names with colons and with spaces, which mountinfo escapes and cgroup does not
        ("0::/user.slice/a:b c\n", V2, {"user.slice/a:b c/memory.max": f"{GIB}"}, 1),
        # version 1
        ("4:memory:/shop\n0::/\n", V1, {SHOP_V1: f"{2 * GIB}\n"}, 2),
        ("4:memory:/a/b\n", V1, {AB_V1: UNLIMITED, A_V1: f"{GIB}"}, 1),
        ("4:memory:/shop\n", V1, {SHOP_V1: UNLIMITED}, 24),
        (DOCKER_V1, V1.replace("0:32 /", "0:32 /docker/0abc"), {TOP_V1: f"{GIB}"}, 1),
        # a parent that cannot be seen, but is in the statistics
        (
            DOCKER_V1,
            V1.replace("0:32 /", "0:32 /docker/0abc"),
            {TOP_V1: UNLIMITED, "memory/memory.stat": f"cache 1\nhierarchical_memory_limit {GIB}\n"},
            1,
        ),
        # both versions: the memory is version 1's, version 2 has only the processes; and the other way round
        ("4:memory:/shop\n0::/shop\n", HYBRID, {SHOP_V1: f"{GIB}", "unified/shop/cgroup.procs": ""}, 1),
        ("0::/shop\n", HYBRID, {"unified/shop/memory.max": f"{GIB}"}, 1),
        ("4:memory:/a\n0::/b\n", HYBRID, {A_V1: f"{3 * GIB}", "unified/b/memory.max": f"{GIB}"}, 1),
        # nothing that can be understood
        (SERVICE, V2, {SHOP: "lots\n"}, 24),
        (SERVICE, V2, {SHOP: ""}, 24),
        (SERVICE, V2, {SHOP: "0"}, 24),
        (SERVICE, V2, {SHOP: "9" * 5000}, 24),
        (SERVICE, V2, {SHOP: "-1"}, 24),
        ("\x00\xff:\n:::\n0::\n0::relative\n", V2, {}, 24),
        (SERVICE, "31 23 0:28 /\nx - cgroup2\n31 23 0:28 / /sys/fs/cgroup rw - cgroup2\n", {}, 24),
        ("", "", {"memory.max": f"{GIB}"}, 1),
        ("", "", {}, 24),
    ],
)  # fmt: skip
def test_ram_is_the_lowest_limit_on_the_way_up(machine, own, mounts, files, gib):
    assert detect.memory(machine(own, mounts, files)) == gib * GIB


def test_a_mount_point_of_any_name_is_found(machine):
    mounts = V2.replace("/sys/fs/cgroup ", "/mnt/my\\040c\\134groups\\011\\012x ")
    files = {SLICE: f"{GIB}"}
    assert detect.memory(machine(SERVICE, mounts, files, "mnt/my c\\groups\t\nx")) == GIB


def test_a_file_that_cannot_be_read_is_no_limit(machine):
    root = machine(SERVICE, V2, {"system.slice/shop.service/memory.max/folder": "", SLICE: "max"})
    (root / "sys/fs/cgroup/memory.max").write_bytes(b"\xff\xfe\x00")
    assert (detect.memory(root), detect.cpus(root)) == (24 * GIB, 6)


def test_without_meminfo_the_machine_is_asked_otherwise(machine):
    root = machine(SERVICE, V2)
    (root / "proc/meminfo").unlink()
    assert detect.memory(root) == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert detect.available_memory(root) == detect.memory(root)


def test_a_limit_is_told_with_its_file(machine):
    root = machine(SERVICE, V2, {SLICE: f"{2 * GIB}"})
    assert detect.ram_source(root) == f"limit in {root}/sys/fs/cgroup/system.slice/memory.max; the machine has 24 GiB"
    assert detect.ram_source(machine(SERVICE, V2, {SLICE: "max"})) == ""


@pytest.mark.parametrize(
    ("quota", "period", "cpus"),
    [
        (150_000, 100_000, 1),
        (50_000, 100_000, 1),
        (1_000, 100_000, 1),
        (200_000, 100_000, 2),
        (199_990, 100_000, 2),
        (199_000, 100_000, 2),
        (198_999, 100_000, 1),
        (100_000, 50_000, 2),
        (750_000, 250_000, 3),
        (99_999, 33_333, 3),
        (2_500, 1_000, 2),
        (6_000_000, 1_000_000, 6),
        (6_400_000, 100_000, 6),
    ],
)
def test_a_quota_is_rounded_down_to_whole_cpus(machine, quota, period, cpus):
    root = machine(SERVICE, V2, {"system.slice/shop.service/cpu.max": f"{quota} {period}\n"})
    assert detect.cpus(root) == cpus
    files = {"cpu,cpuacct/shop/cpu.cfs_quota_us": f"{quota}\n", "cpu,cpuacct/shop/cpu.cfs_period_us": f"{period}\n"}
    assert detect.cpus(machine("3:cpu,cpuacct:/shop\n", V1, files)) == cpus


@pytest.mark.parametrize(
    "text", ["max 100000", "max", "200000", "200000 0", "0 100000", "-1 100000", "two 100000", "", "1 2 3"]
)
def test_what_is_no_quota_leaves_all_cpus(machine, text):
    assert detect.cpus(machine(SERVICE, V2, {"system.slice/shop.service/cpu.max": text})) == 6


def test_the_lowest_quota_on_the_way_up_counts(machine):
    files = {"system.slice/shop.service/cpu.max": "400000 100000", "system.slice/cpu.max": "60000 20000"}
    assert detect.cpus(machine(SERVICE, V2, files)) == 3


@pytest.mark.parametrize(
    ("allowed", "text", "source"),
    [
        (6, "max 100000", ""),
        (6, "200000 100000", "cgroup quota; the machine has 6"),
        (2, "max 100000", "affinity or cpuset; the machine has 6"),
        (2, "300000 100000", "affinity or cpuset; the machine has 6"),
    ],
)
def test_what_makes_the_cpus_fewer(machine, monkeypatch, allowed, text, source):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(allowed)))
    assert detect.cpus_source(machine(SERVICE, V2, {"system.slice/shop.service/cpu.max": text})) == source


STAT_V2 = "anon 1\nfile 1\nshmem 100000000\ninactive_file 200000000\nactive_file 100000000\nslab_reclaimable 1000\n"
STAT_V1 = "cache 1\ninactive_file 7\ntotal_inactive_file 200000000\ntotal_active_file 100001000\n"


@pytest.mark.parametrize(
    ("own", "mounts", "files", "expected"),
    [
        # 1 GiB - 900,000,000 in use + 300,001,000 of file cache and slabs
        (SERVICE, V2, {SLICE: f"{GIB}", "system.slice/memory.current": "900000000",
                       "system.slice/memory.stat": STAT_V2}, 473_742_824),
        ("4:memory:/shop\n", V1, {SHOP_V1: f"{GIB}", "memory/shop/memory.stat": STAT_V1,
                                  "memory/shop/memory.usage_in_bytes": "900000000"}, 473_742_824),
        # over the limit, with nothing to reclaim
        (SERVICE, V2, {SLICE: "1000000", "system.slice/memory.current": "2000000"}, 0),
        # more than the machine has left, and a usage that nobody tells
        (SERVICE, V2, {SLICE: f"{23 * GIB}", "system.slice/memory.current": "0"}, 20 * GIB),
        (SERVICE, V2, {SLICE: f"{GIB}"}, 20 * GIB),
        # statistics that say more than is in use
        (SERVICE, V2, {SLICE: f"{GIB}", "system.slice/memory.current": "1000",
                       "system.slice/memory.stat": STAT_V2}, GIB),
    ],
)  # fmt: skip
def test_available_memory_stays_within_the_limit(machine, own, mounts, files, expected):
    assert detect.available_memory(machine(own, mounts, files)) == expected


def test_this_machine_can_be_measured():
    limit = cgroup.memory_limit(detect.ROOT)
    assert limit is None or limit.size > 0
    assert 0 < detect.available_memory() <= detect.memory() <= detect.total_memory()
    assert detect.cpus() >= 1
