"""The base image: a minimal Debian 13 from debootstrap, imported into the engine without any registry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stackctl.images.apt_sources import Mirrors

REFERENCE: Final = "stackctl/base:trixie"
SUITE: Final = "trixie"
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Downloads and indexes that every build fetches again, and what a container never shows anybody.
_LEFT_OUT: Final = (
    "./var/cache/apt/*.bin",
    "./var/cache/apt/archives/*.deb",
    "./var/lib/apt/lists/*",
    "./var/log/*",
    "./usr/share/man/*",
    "./usr/share/info/*",
    "./usr/share/locale/*",
)


@dataclass(frozen=True)
class Workspace:
    """The folders and files that making the base needs; all of it is thrown away afterwards."""

    root: Path

    @property
    def tree(self) -> Path:
        """Where debootstrap unpacks the system."""
        return self.root / "tree"

    @property
    def archive(self) -> Path:
        """What the engine imports."""
        return self.root / "base.tar"


def debootstrap_argv(tree: Path, mirror: str | None) -> list[str]:
    """The command that makes the system; without a mirror debootstrap uses its own default."""
    argv = ["debootstrap", "--variant=minbase", SUITE, str(tree)]
    return argv if mirror is None else [*argv, mirror]


def tar_argv(space: Workspace) -> list[str]:
    """The command that packs the tree; owners stay numbers, since the host's names are not the image's."""
    left_out = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
    return ["tar", "--numeric-owner", *left_out, "-C", str(space.tree), "-cf", str(space.archive), "."]


def import_argv(archive: Path) -> list[str]:
    """The command that turns the archive into an image with a shell and a search path."""
    changes = ["--change", f"ENV PATH={PATH}", "--change", 'CMD ["bash"]']
    return ["docker", "import", *changes, str(archive), REFERENCE]


def cleanup_argvs(space: Workspace) -> list[list[str]]:
    """The commands that remove the workspace even after debootstrap was stopped half way.

    It mounts /proc and /sys into the tree; deleting through a mount would reach the host's own files.
    """
    mounts = [str(space.tree / "proc"), str(space.tree / "sys")]
    remove = ["rm", "-rf", "--one-file-system", "--", str(space.root)]
    return [["umount", "--quiet", "--lazy", *mounts], remove]


def security_line(mirrors: Mirrors) -> str | None:
    """The base's apt source for security updates, or None where the machine names no security mirror."""
    return None if mirrors.security is None else f"deb {mirrors.security} {SUITE}-security main\n"


def configure(tree: Path, assets: Path, mirrors: Mirrors) -> None:
    """Put apt's and dpkg's settings and the security source into the unpacked system."""
    copies = {"dpkg-excludes": "etc/dpkg/dpkg.cfg.d/stackctl", "apt-small": "etc/apt/apt.conf.d/90stackctl"}
    for name, destination in copies.items():
        (tree / destination).write_bytes((assets / name).read_bytes())
    line = security_line(mirrors)
    if line is not None:
        (tree / "etc/apt/sources.list.d/security.list").write_text(line, encoding="utf-8")
