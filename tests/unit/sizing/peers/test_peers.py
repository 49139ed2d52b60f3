"""All peers: one shape, and names that the server knows."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from stackctl.hardware.model import HardwareProfile, Storage, Workload
from stackctl.sizing.catalog import parse_catalog
from stackctl.sizing.peers import PEERS
from stackctl.units import GIB, MIB, Bytes

CATALOGS = Path(__file__).parents[4] / "config" / "postgres"


def _profile(ram=16 * GIB, cpus=4, storage=Storage.SSD, workload=Workload.WEB, postgres=18):
    return HardwareProfile(Bytes(ram), cpus, storage, Bytes(200 * GIB), workload, postgres, app_workers=4)


def test_their_names():
    assert list(PEERS) == ["pgtune", "timescaledb-tune", "pigsty", "stock", "guide"]


MACHINES = [
    _profile(512 * MIB, 1, Storage.HDD, Workload.DEV),
    _profile(4 * GIB, 3, Storage.SSD, Workload.MIXED),
    _profile(16 * GIB, 4, Storage.SSD, Workload.WEB),
    _profile(32 * GIB, 8, Storage.NETWORK, Workload.OLTP),
    _profile(1024 * GIB, 128, Storage.NVME, Workload.OLAP),
]
# The extension's own, and one that a build without lz4 lacks.
BEYOND = ("timescaledb.max_background_workers", "default_toast_compression")


@pytest.mark.parametrize("postgres", [15, 16, 17, 18])
def test_what_peers_give_is_what_the_version_takes(postgres):
    catalog = parse_catalog(postgres, (CATALOGS / f"catalog-{postgres}.tsv").read_text())
    for (name, peer), machine in itertools.product(PEERS.items(), MACHINES):
        given = peer(replace(machine, postgres=postgres))
        wrong = [catalog.check(each, value, name) for each, value in given.items() if each not in BEYOND]
        assert not any(wrong), wrong


def test_stock_sets_nothing():
    assert PEERS["stock"](_profile()) == {}


def test_the_guide_is_the_same_everywhere():
    small, large = PEERS["guide"](_profile(ram=GIB)), PEERS["guide"](_profile(ram=256 * GIB, workload=Workload.OLAP))
    assert small == large
    assert [small[name] for name in ("shared_buffers", "work_mem", "max_connections", "jit")] == [
        "4GB",
        "32MB",
        "200",
        "on",
    ]
    assert len(small) == 32
