"""Where this process stands in the trees of cgroups, version 1, 2 or both, from its own files below /proc."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# Where they are mounted by custom: for a machine whose /proc tells nothing.
_USUAL = "sys/fs/cgroup"
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Group:
    """The folder of one cgroup, and which version of the interface its files speak."""

    folder: Path
    version: int

    def text(self, name: str) -> str:
        """What one of its files holds, empty where it cannot be read."""
        return read(self.folder / name)


@dataclass(frozen=True)
class _Mount:
    """One line of mountinfo: which part of a tree (`top`) is seen at `point`."""

    top: PurePosixPath
    point: PurePosixPath
    version: int
    controllers: frozenset[str]


def read(path: Path) -> str:
    """The text of a file, empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def groups(controller: str, root: Path) -> tuple[Group, ...]:
    """The cgroups that bound this process for `controller`: its own first, then each parent that can be seen."""
    mounts = [mount for mount in _mounts(root) if mount.version == 2 or controller in mount.controllers]
    paths = _paths(root)
    found: dict[Path, Group] = {}
    for version, key in ((2, ""), (1, controller)):
        these = [mount for mount in mounts if mount.version == version]
        for point, below in _starts(these, paths.get(key)):
            top = root / str(point).lstrip("/")
            for folder in _upwards(top, below):
                found.setdefault(folder, Group(folder, version))
    return tuple(found.values()) or _usual(controller, root)


def _usual(controller: str, root: Path) -> tuple[Group, ...]:
    return Group(root / _USUAL, 2), Group(root / _USUAL / controller, 1)


def _upwards(top: Path, below: PurePosixPath) -> Iterator[Path]:
    yield from (top / path for path in (below, *below.parents))


def _starts(mounts: list[_Mount], path: PurePosixPath | None) -> Iterator[tuple[PurePosixPath, PurePosixPath]]:
    """Mount points, each with the way from there down to the process.

    Where no mount leads to the process, as it stands outside of its namespace, the top of each is all that is known.
    """
    here = PurePosixPath()
    ways = [(mount.point, path.relative_to(mount.top)) for mount in mounts if path and _leads(mount, path)]
    yield from ways or ((mount.point, here) for mount in mounts)


def _leads(mount: _Mount, path: PurePosixPath) -> bool:
    return ".." not in path.parts and path.is_relative_to(mount.top)


def _paths(root: Path) -> dict[str, PurePosixPath]:
    """The process's cgroup for each controller; for version 2 under the empty name."""
    found: dict[str, PurePosixPath] = {}
    for line in read(root / "proc/self/cgroup").splitlines():
        # A cgroup's own name may hold colons.
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number.isdigit() and path.startswith("/"):
            found |= dict.fromkeys(names.split(","), PurePosixPath(path))
    return found


def _mounts(root: Path) -> Iterator[_Mount]:
    for line in read(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        if len(fields) < 6 or len(rest) < 3 or rest[0] not in ("cgroup", "cgroup2"):
            continue
        top, point = (PurePosixPath(_plain(field)) for field in fields[3:5])
        yield _Mount(top, point, 2 if rest[0] == "cgroup2" else 1, frozenset(rest[2].split(",")))


def _plain(field: str) -> str:
    """A field of mountinfo without the kernel's octal escapes of spaces, tabs, line ends and backslashes."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)
