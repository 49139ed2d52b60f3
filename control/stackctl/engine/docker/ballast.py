"""The ballast of a stack in containers: a volume of its own, on the disk of the other volumes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from stackctl.engine.ballast import NAME, SCRIPT
from stackctl.engine.docker.client import DATABASE_USER
from stackctl.engine.docker.generations import DockerPlaces
from stackctl.errors import unwritable
from stackctl.units import Bytes


@dataclass(frozen=True)
class DockerBallast:
    """Nobody but root can look into a volume, so `mark`, a file of the project, says how large a whole one is.

    A container makes it. None is needed to free it, as none could be made on a full disk.
    """

    places: DockerPlaces
    mark: Path

    def held(self) -> Bytes:
        """What the mark says, where the volume is there."""
        try:
            size = int(json.loads(self.mark.read_text()))
        except (OSError, ValueError, TypeError):
            return Bytes(0)
        return Bytes(size if self.places.has(NAME) else 0)

    def hold(self, size: Bytes) -> None:
        """Allocate it in a new volume."""
        self.free()
        try:
            self.places.make(NAME)
            user = f"{DATABASE_USER.uid}:{DATABASE_USER.gid}"
            mounted = ["--mount", f"type=volume,source={self.places.named(NAME)},target={self.places.mount}"]
            script = ["sh", "-c", SCRIPT, "sh", f"{self.places.mount}/{NAME}", str(size)]
            self.places.one_off([*mounted, "--user", user], script)
            self.mark.write_text(str(size))
        except OSError as error:
            self.free()
            raise unwritable(self.mark, error) from error
        except BaseException:
            self.free()
            raise

    def free(self) -> None:
        """Remove the volume."""
        if self.places.has(NAME):
            self.places.drop(NAME)
        self.mark.unlink(missing_ok=True)
