"""Generations of the data as volumes."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from stackctl.engine.docker.client import DATABASE_USER, bind
from stackctl.engine.docker.containers import FINGERPRINT
from stackctl.engine.generation import Note, identifier, refuse_taken
from stackctl.engine.runner import Completed, Runner
from stackctl.render.stack import DATA_VOLUME

_HOURS = 3600.0
# Copy $1 to $2, a folder of the mount $4, for the account $3; what did not come along, or not whole, is an error.
INSTALL = """set -e
sizes() { cd "$1"; find . -type f -exec stat -c '%s %n' {} + | sort; }
mkdir -p "$2"
cp -a "$1/." "$2/"
chmod 0700 "$2"
chown -R "$3" "$4"
sync -f "$2"
proven=$(sizes "$1")
copied=$(sizes "$2")
[ "$proven" = "$copied" ] || { echo "the copy in the volume has other files than $1" >&2; exit 1; }
"""
# Compose takes a volume with these for its own.
_COMPOSE = "com.docker.compose"


def volume_key(generation: int) -> str:
    """Name of a generation's volume in compose.yaml."""
    return f"{DATA_VOLUME}_{generation}" if generation else DATA_VOLUME


@dataclass(frozen=True)
class DockerPlaces:
    """Volumes of the project. `mount` is where the database has one, `data` the data directory below it."""

    project: str
    image: str
    mount: str
    data: str
    fingerprint: str
    runner: Runner

    def taken(self) -> frozenset[int]:
        """As the volumes' names say."""
        name = re.compile(rf"{re.escape(self._volume(0))}(?:_(\d+))?")
        found = map(name.fullmatch, self._docker("volume", "ls", "--quiet").stdout.split())
        return frozenset(int(match[1] or 0) for match in found if match)

    def there(self, generation: int) -> bool:
        """Whether the volume has a cluster."""
        if not self._exists(generation):
            return False
        return self._on(generation, ["test", "-e", f"{self.data}/PG_VERSION"], check=False).returncode == 0

    def system(self, generation: int) -> str | None:
        """As its control file says."""
        if not self.there(generation):
            return None
        return identifier(self._on(generation, ["pg_controldata", self.data]).stdout)

    def install(self, candidate: Path, generation: int, note: Note) -> None:
        """Copy it into a new volume, whose files are the image's account's, whoever the operator is."""
        name = self._volume(generation)
        refuse_taken(self, generation)
        note(f"copying it into the volume {name}")
        self.make(volume_key(generation))
        account = f"{DATABASE_USER.uid}:{DATABASE_USER.gid}"
        script = (INSTALL, "sh", str(candidate), self.data, account, self.mount)
        mounts = ["--mount", bind(candidate, str(candidate)), *self._mounted(generation)]
        # Root in the container alone can read the operator's files and give them to the account.
        rights = [f"--cap-add={each}" for each in ("CHOWN", "DAC_OVERRIDE", "FOWNER")]
        self.one_off([*mounts, "--user", "0:0", *rights], ["sh", "-c", *script], timeout=24 * _HOURS)
        # What was proven is the candidate; this is what the server will run on.
        note("checking every page of what is in the volume")
        self._on(generation, ["pg_checksums", "--check", "--pgdata", self.data], timeout=24 * _HOURS)

    def remove(self, generation: int) -> None:
        """Remove the volume."""
        if self._exists(generation):
            self.drop(volume_key(generation))

    def copies(self) -> bool:
        """Always: a volume is the engine's own."""
        return True

    def remove_all(self) -> None:
        """Remove the volumes of all generations, those that compose.yaml does not name too."""
        mine = f"label={_COMPOSE}.project={self.project}"
        for name in self._docker("volume", "ls", "--quiet", "--filter", mine).stdout.split():
            if name.startswith(self._volume(0)):
                self._docker("volume", "rm", name)

    def named(self, key: str) -> str:
        """The whole name of a volume of the project."""
        return f"{self.project}_{key}"

    def has(self, key: str) -> bool:
        """Whether there is such a volume. Raises EngineFailed where Docker does not say."""
        name = self.named(key)
        return name in self._docker("volume", "ls", "--quiet", "--filter", f"name={name}").stdout.split()

    def make(self, key: str) -> None:
        """Make an empty volume that Compose takes for one of the project's."""
        labels = {
            f"{_COMPOSE}.project": self.project,
            f"{_COMPOSE}.volume": key,
            FINGERPRINT: self.fingerprint,
        }
        words = [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]
        self._docker("volume", "create", *words, self.named(key))

    def drop(self, key: str) -> None:
        """Remove a volume; one that a container uses stays, and is told."""
        self._docker("volume", "rm", self.named(key))

    def _volume(self, generation: int) -> str:
        return self.named(volume_key(generation))

    def _exists(self, generation: int) -> bool:
        return self.has(volume_key(generation))

    def _mounted(self, generation: int) -> list[str]:
        return ["--mount", f"type=volume,source={self._volume(generation)},target={self.mount}"]

    def _on(self, generation: int, words: list[str], *, check: bool = True, timeout: float = 120) -> Completed:
        user = f"{DATABASE_USER.uid}:{DATABASE_USER.gid}"
        return self.one_off([*self._mounted(generation), "--user", user], words, check=check, timeout=timeout)

    def one_off(self, options: list[str], words: list[str], *, check: bool = True, timeout: float = 120) -> Completed:
        """A container of the database's image without a network, that ends with its command."""
        name = f"{self.project}-copy-{secrets.token_hex(4)}"
        closed = ("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        start = ("run", "--rm", "--name", name, *closed, *options, "--entrypoint", words[0], self.image, *words[1:])
        try:
            return self._docker(*start, check=check, timeout=timeout)
        except BaseException:
            # Without its client the container would go on.
            self._docker("rm", "--force", name, check=False)
            raise

    def _docker(self, *words: str, check: bool = True, timeout: float = 120) -> Completed:
        return self.runner.run(["docker", *words], check=check, quiet=True, timeout=timeout)
