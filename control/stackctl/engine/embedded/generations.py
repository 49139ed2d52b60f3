"""Generations of the data as folders of the home."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from stackctl.engine.embedded.home import Home, as_account
from stackctl.engine.embedded.programs import Server
from stackctl.engine.generation import Note, identifier, refuse_taken
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed


@dataclass(frozen=True)
class EmbeddedPlaces:
    """Folders beside each other in the home."""

    home: Home
    server: Server
    runner: Runner

    def taken(self) -> frozenset[int]:
        """As the folders' names say."""
        name = re.compile(rf"{self.server.major}(?:\.(\d+))?(?:\.new)?")
        folder = self._folder(0).parent
        found = [name.fullmatch(path.name) for path in folder.iterdir()] if folder.is_dir() else []
        return frozenset(int(match[1] or 0) for match in found if match)

    def there(self, generation: int) -> bool:
        """Whether the folder has a cluster."""
        return (self._folder(generation) / "PG_VERSION").exists()

    def system(self, generation: int) -> str | None:
        """As its control file says."""
        if not self.there(generation):
            return None
        argv = [self.server.program("pg_controldata"), str(self._folder(generation))]
        done = self.runner.run(
            argv, user=self.home.user, cwd=Path("/"), env={"LC_ALL": "C.UTF-8"}, clean=True, quiet=True, timeout=60
        )
        return identifier(done.stdout)

    def install(self, candidate: Path, generation: int, note: Note) -> None:
        """Move it, as the account; to another disk it is copied first and then renamed."""
        target = self._folder(generation)
        refuse_taken(self, generation)
        note(f"moving the copy to {target}")
        # The account takes it out of the folder that it was built in.
        if self.home.user is not None:
            os.chown(candidate.parent, self.home.user.uid, self.home.user.gid)
        # Who lost the data may have lost the folder around it, while the other services run on.
        script = (
            'set -e; mkdir -p -m 0700 "${2%/*}"; rm -rf "$2.new"; mv "$1" "$2.new"; sync -f "$2.new"; '
            'mv -T "$2.new" "$2"; sync -f "$2"'
        )
        self.runner.run(
            ["sh", "-c", script, "sh", str(candidate), str(target)],
            user=self.home.user,
            cwd=Path("/"),
            quiet=True,
            timeout=24 * 3600,
        )

    def remove(self, generation: int) -> None:
        """Remove the folder, as the account."""
        target = self._folder(generation)
        if target.is_dir() and (pid := postmaster_of(target)):
            raise EngineFailed(f"a server runs on {target} (process {pid})", hint="stackctl down ends it")
        as_account(self.home, self.runner, "rm", "-rf", f"{target}.new", str(target))

    def copies(self) -> bool:
        """Only to another disk."""
        backups, data = self.home.backups, self.home.root / "data"
        return not data.is_dir() or data.stat().st_dev != backups.stat().st_dev

    def _folder(self, generation: int) -> Path:
        return replace(self.home, generation=generation).data(self.server.major)


def postmaster_of(data: Path) -> int | None:
    """Process id of the server that runs on `data` on this machine; a stale postmaster.pid is none."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        return pid if Path(f"/proc/{pid}/cwd").resolve(strict=True) == data.resolve() else None
    except (OSError, ValueError):
        return None
