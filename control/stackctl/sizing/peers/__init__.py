"""What other tuners give for the same machine, re-implemented as pure functions; for comparing only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stackctl.hardware.model import HardwareProfile
from stackctl.sizing.peers import guide, pgtune, pigsty, stock, timescaledb_tune

# Parameter names to values as in postgresql.conf. A peer knows nothing of our sizing, and gives what its tool gives,
# also where the server would refuse it.
Peer = Callable[[HardwareProfile], Mapping[str, str]]

PEERS: Mapping[str, Peer] = {
    "pgtune": pgtune.peer,
    "timescaledb-tune": timescaledb_tune.peer,
    "pigsty": pigsty.peer,
    "stock": stock.peer,
    "guide": guide.peer,
}
