"""PostgreSQL as it is after initdb."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.hardware.model import HardwareProfile


def peer(_profile: HardwareProfile) -> Mapping[str, str]:
    """Nothing is set. Source: the server's own defaults, which the catalogue of the version has."""
    return {}
