"""How a disk that is rehearsed is written."""

from __future__ import annotations

import pytest

from stackctl.hardware.model import DISKS, DiskLimit
from stackctl.settings.values import Fault, disk_limit
from stackctl.units import Bytes

MIB = 1_048_576


@pytest.mark.parametrize(
    ("text", "iops", "mib"),
    [
        ("iops=3000,mbps=125", 3000, 125),
        (" IOPS=500 ", 500, 0),
        ("mbps=125", 0, 125),
        ("aws-gp3", 3000, 125),
        ("Azure-P20", 2300, 150),
    ],
)
def test_numbers_one_of_them_or_a_volume(text: str, iops: int, mib: int) -> None:
    assert disk_limit(text) == DiskLimit(iops, Bytes(mib * MIB))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not of the form"),
        (",", "is not of the form"),
        ("iops=3000,", "is not of the form"),
        (",mbps=125", "is not of the form"),
        ("iops=3000mbps=125", "is not of the form"),
        ("mbps=125,iops=3000", "is not of the form"),
        ("gp3", "is not of the form"),
        ("iops=-1", "is not of the form"),
        ("iops=0", "less than any disk"),
        ("iops=49,mbps=125", "less than any disk"),
        ("mbps=0", "less than any disk"),
    ],
)
def test_what_is_no_limit_is_refused(text: str, said: str) -> None:
    """A limit of 0 would be none at all, and one that is nearly 0 a database that never starts."""
    with pytest.raises(Fault, match=said):
        disk_limit(text)


def test_a_near_miss_names_the_volume() -> None:
    with pytest.raises(Fault) as fault:
        disk_limit("aws-gp33")
    assert "aws-gp3" in fault.value.hint


@pytest.mark.parametrize("limit", [*DISKS.values(), DiskLimit(500), DiskLimit(0, Bytes(MIB))])
def test_it_is_shown_as_it_is_written(limit: DiskLimit) -> None:
    assert disk_limit(str(limit)) == limit


def test_none_is_nothing() -> None:
    assert not DiskLimit()
    assert str(DiskLimit()) == ""
