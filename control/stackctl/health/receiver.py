"""Whether WAL is received as it is written. Pure."""

from __future__ import annotations

from collections.abc import Collection

from stackctl.health.model import Check, Status
from stackctl.health.receiving import ReceiverUse
from stackctl.health.running import Running
from stackctl.sizing.wal import RECEIVER
from stackctl.units import MIB, Bytes, human

_FAR = 64 * MIB
# The receiver is tried again every second, so that a short wait is nobody's business.
_LONG = 10.0


def receiver_wanted(services: Collection[str], running: Running | None) -> bool:
    """Whether there should be one: it is a service, or commits wait for it although it is none."""
    names = running.settings.get("synchronous_standby_names") if running else None
    return "receiver" in services or (names is not None and RECEIVER in names.value)


def judge_receiver(use: ReceiverUse | None) -> Check:
    """Away, given up by the server, behind, or fine."""
    if use is None:
        return Check("receiver", Status.SKIP, "not measured")
    if use.synchronous and (not use.connected or (use.longest or 0) > _LONG):
        return _waited_for(use)
    if use.slot == "lost":
        evidence = "the server kept too much WAL for it and gave its slot up; the tail of the WAL is not kept"
        return Check("receiver", Status.FAIL, evidence, "it begins anew by itself: stackctl logs receiver")
    if not use.connected:
        evidence = "it is not connected: what is not archived yet would be lost with the data"
        return Check("receiver", Status.FAIL, evidence, "stackctl logs receiver")
    behind = f"{human(Bytes(max(use.behind or 0, 0)))} behind"
    if (use.behind or 0) > _FAR:
        return Check("receiver", Status.WARN, behind, "the repository's disk is slower than the database writes")
    return Check("receiver", Status.OK, behind)


def _waited_for(use: ReceiverUse) -> Check:
    why = "is behind" if use.connected else "is not connected"
    longest = f", the longest for {use.longest:.0f} s" if use.longest else ""
    hint = "stackctl logs receiver says why; to go on without it: backup.wal: archive, then stackctl up"
    return Check("receiver", Status.FAIL, f"it {why}: {use.waiting} commits wait for it{longest}", hint)
