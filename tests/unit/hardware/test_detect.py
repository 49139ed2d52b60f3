"""What a machine has, read from made-up proc and sys folders."""

import os
from pathlib import Path

import pytest

from stackctl.hardware import detect
from stackctl.hardware.model import Storage

MEMINFO = "MemTotal:       16384000 kB\nMemFree:  1 kB\nMemAvailable:    8192000 kB\nHugePages_Total:       0\n"
TOTAL = 16_777_216_000


def _write(root, files):
    for name, text in {"proc/meminfo": MEMINFO, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V1 = "sys/fs/cgroup/memory/memory.limit_in_bytes"
V2 = "sys/fs/cgroup/memory.max"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, TOTAL),
        ({V2: "4294967296\n"}, 4_294_967_296),
        ({V2: "max\n"}, TOTAL),
        ({V2: "99999999999999\n"}, TOTAL),
        ({V1: "2147483648\n"}, 2_147_483_648),
        ({V1: "9223372036854771712\n"}, TOTAL),
        ({V1: "2147483648\n", V2: "1073741824\n"}, 1_073_741_824),
    ],
)
def test_memory_is_the_machines_or_the_lower_limit(tmp_path, files, expected):
    assert detect.memory(_write(tmp_path, files)) == expected


def test_available_memory(tmp_path):
    assert detect.available_memory(_write(tmp_path, {})) == 8_388_608_000


def _v1(quota, period):
    return {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": quota, "sys/fs/cgroup/cpu/cpu.cfs_period_us": period}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 6),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, 6),
        ({"sys/fs/cgroup/cpu.max": "250000 100000\n"}, 2),
        ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"sys/fs/cgroup/cpu.max": "6400000 100000\n"}, 6),
        (_v1("-1", "100000"), 6),
        (_v1("390000", "100000"), 3),
        (_v1("10000", "100000"), 1),
    ],
)
def test_cpus_are_those_allowed_and_the_quota_rounded_down(tmp_path, monkeypatch, files, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(6)))
    assert detect.cpus(_write(tmp_path, files)) == expected


def _disk(root, place, name, rotational, partition=""):
    """A block device as sysfs shows it; a partition lies below its disk."""
    device = place.stat().st_dev
    folder = root / "sys/devices" / name
    (folder / "queue").mkdir(parents=True)
    (folder / "queue/rotational").write_text(f"{rotational}\n")
    target = folder / partition if partition else folder
    target.mkdir(exist_ok=True)
    link = root / "sys/dev/block" / f"{os.major(device)}:{os.minor(device)}"
    link.parent.mkdir(parents=True)
    link.symlink_to(target)


@pytest.mark.parametrize(
    ("name", "rotational", "partition", "expected"),
    [
        ("sda", 1, "sda1", Storage.HDD),
        ("sda", 1, "", Storage.HDD),
        ("sdb", 0, "sdb2", Storage.SSD),
        ("nvme0n1", 0, "nvme0n1p3", Storage.NVME),
        ("vda", 1, "vda1", Storage.SSD),
    ],
)
def test_kind_of_disk(tmp_path, name, rotational, partition, expected):
    _disk(tmp_path / "root", tmp_path, name, rotational, partition)
    assert detect.storage(tmp_path, tmp_path / "root") is expected


def test_a_disk_that_the_kernel_does_not_know_counts_as_ssd(tmp_path):
    assert detect.storage(tmp_path, tmp_path) is Storage.SSD


def test_a_place_that_is_not_there_yet_is_on_its_parents_disk(tmp_path):
    later = tmp_path / "not" / "yet"
    assert detect.nearest(later) == tmp_path
    assert detect.total_disk(later) == os.statvfs(tmp_path).f_frsize * os.statvfs(tmp_path).f_blocks
    assert 0 < detect.free_disk(later) <= detect.total_disk(later)


def test_detect_puts_it_together(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2})
    root = _write(tmp_path / "root", {V2: "4294967296\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"})
    _disk(root, tmp_path, "sda", 1)
    host = detect.detect(tmp_path / "data", root)
    assert (host.ram, host.cpus, host.storage) == (4_294_967_296, 2, Storage.HDD)


def test_folders_on_one_device_and_on_two(tmp_path):
    assert detect.on_one_device(tmp_path / "not" / "yet", tmp_path) is True
    assert detect.on_one_device(tmp_path, Path("/proc")) is False
