"""The planner: cost of random reads, statistics, JIT."""

from __future__ import annotations

from stackctl.hardware.model import HardwareProfile, Storage, Workload
from stackctl.sizing.ledger import Ledger

_RANDOM_PAGE_COST = {Storage.HDD: "4.0", Storage.SSD: "1.1", Storage.NVME: "1.1", Storage.NETWORK: "1.1"}
_IO_CONCURRENCY = {Storage.HDD: 2, Storage.SSD: 200, Storage.NVME: 200, Storage.NETWORK: 200}


def enter(ledger: Ledger, profile: HardwareProfile) -> None:
    """Enter what the planner should believe of this disk and this workload."""
    ledger.topic("Planner")
    kind = profile.storage
    ledger.set(
        "random_page_cost",
        _RANDOM_PAGE_COST[kind],
        f"a random read on {kind} costs {'four times' if kind is Storage.HDD else 'hardly more than'} a sequential one",
        "requirement S2",
    )
    ledger.count(
        "effective_io_concurrency", _IO_CONCURRENCY[kind], f"reads that {kind} serves at once", "requirement S2"
    )
    ledger.count(
        "default_statistics_target",
        100,
        "stock: more makes planning slower for all, raise it per column",
        "requirement S2",
    )
    olap = profile.workload is Workload.OLAP
    ledger.set(
        "jit",
        "on" if olap else "off",
        "long scans with many expressions gain up to a fifth"
        if olap
        else "compiling costs more than it saves: a wrong estimate over 64 partitions made 8 s of 0.14 s",
        "requirement S2",
    )
