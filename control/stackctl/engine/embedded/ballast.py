"""The ballast of an embedded stack: a file beside the data directories."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stackctl.engine.ballast import DRAFT, NAME, SCRIPT
from stackctl.engine.embedded.home import Home, as_account
from stackctl.engine.runner import Runner
from stackctl.units import Bytes


@dataclass(frozen=True)
class EmbeddedBallast:
    """A file of the account's, in the folder of the data directories."""

    home: Home
    runner: Runner

    @property
    def _file(self) -> Path:
        return self.home.disk / NAME

    def held(self) -> Bytes:
        """The blocks that it has on the disk."""
        try:
            return Bytes(self._file.lstat().st_blocks * 512)
        except OSError:
            return Bytes(0)

    def hold(self, size: Bytes) -> None:
        """Allocate it, as the account."""
        as_account(self.home, self.runner, "sh", "-c", SCRIPT, "sh", str(self._file), str(size))

    def free(self) -> None:
        """Remove it, as the account, with what a run that was killed left of one."""
        as_account(self.home, self.runner, "rm", "-f", str(self._file), str(self.home.disk / DRAFT))
