"""The disk under the volumes, held back for a rehearsal."""

from __future__ import annotations

from typing import Any

from stackctl.engine.docker import containers
from stackctl.errors import ProfileError
from stackctl.hardware.disk import whole_disk
from stackctl.hardware.model import DiskLimit


def held_disk(limit: DiskLimit) -> dict[str, Any]:
    """Device, operations and bytes a second; empty without a limit.

    Raises ProfileError where the volumes are on no disk of this machine, as then nothing would be held back.
    """
    if not limit:
        return {}
    root = containers.data_root()
    device = whole_disk(root)
    if device is None:
        raise ProfileError(
            f"profile.disk_limit: Docker's volumes, in {root}, are on no disk of this machine that can be held back",
            hint="leave --disk-limit out",
        )
    return {"device": str(device), "iops": limit.iops, "rate": int(limit.rate)}
