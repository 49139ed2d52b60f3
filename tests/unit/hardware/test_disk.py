"""Which device the kernel can hold back: a whole disk, never a partition."""

from __future__ import annotations

import os
from pathlib import Path

from stackctl.hardware.disk import whole_disk


def number(folder: Path) -> str:
    device = folder.stat().st_dev
    return f"{os.major(device)}:{os.minor(device)}"


def test_a_folder_on_a_partition_is_on_its_disk(tmp_path: Path) -> None:
    partition = tmp_path / "devices" / "vda" / "vda1"
    partition.mkdir(parents=True)
    (partition / "partition").write_text("1\n")
    (tmp_path / "block").mkdir()
    (tmp_path / "block" / number(tmp_path)).symlink_to(partition)
    assert whole_disk(tmp_path, tmp_path / "block") == Path("/dev/vda")


def test_a_folder_on_a_whole_disk_is_on_that(tmp_path: Path) -> None:
    disk = tmp_path / "devices" / "nvme0n1"
    disk.mkdir(parents=True)
    (tmp_path / "block").mkdir()
    (tmp_path / "block" / number(tmp_path)).symlink_to(disk)
    assert whole_disk(tmp_path, tmp_path / "block") == Path("/dev/nvme0n1")


def test_a_folder_in_memory_is_on_no_disk(tmp_path: Path) -> None:
    assert whole_disk(tmp_path, tmp_path / "nothing") is None
