"""Where an embedded stack lives: below the project, or below /var/lib/stackctl when stackctl is root."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from stackctl.engine.project import Project
from stackctl.engine.runner import SystemUser
from stackctl.errors import ProfileError

SYSTEM = Path("/var/lib/stackctl")
# A unix socket's path holds 107 bytes; the longest name put below the folder is ".s.PGSQL.65535.lock".
_SOCKET_FOLDER = 107 - 24


@dataclass(frozen=True)
class Home:
    """The folders of one embedded stack. As root they are copies that the system account can reach."""

    root: Path
    config: Path
    secrets: Path
    run: Path
    user: SystemUser | None

    @property
    def work(self) -> Path:
        """Working directory of the services, and what they keep."""
        return self.root / "work"

    @property
    def logs(self) -> Path:
        """One log file for each service."""
        return self.root / "logs"

    @property
    def programs(self) -> Path:
        """Python and PostgreSQL as the system account can run them."""
        return self.root / "programs"

    def data(self, postgres: int) -> Path:
        """Data directory of PostgreSQL `postgres`."""
        return self.root / "data" / str(postgres)

    def own(self, path: Path) -> None:
        """Give a path that we just made to the account that the services run as."""
        if self.user is not None:
            os.chown(path, self.user.uid, self.user.gid)

    def make(self, path: Path) -> Path:
        """Make a folder of ours, mode 0700, where it is missing."""
        if not path.is_dir():
            path.mkdir(parents=True, mode=0o700)
            self.own(path)
        return path


def home_of(project: Project, user: SystemUser | None) -> Home:
    """The folders for `project`; nothing is made yet."""
    if user is None:
        root = project.private / "embedded"
        return Home(root, project.rendered, project.secrets, _run(root), None)
    root = SYSTEM / project.name
    return Home(root, root / "rendered", root / "secrets", _run(root), user)


def settle(home: Home, project: Project) -> None:
    """Make the folders, and as root bring rendered files and secrets to where the account can read them.

    Raises ProfileError where the name belongs to another project, or the socket folder to another user.
    """
    if home.user is None:
        home.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    else:
        SYSTEM.mkdir(parents=True, exist_ok=True, mode=0o755)
        home.make(home.root)
        _claim(home.root / "project", project)
    for folder in (
        home.work,
        home.logs,
        home.run,
        home.root / "data",
        home.work / "prometheus",
        home.work / "alertmanager",
    ):
        home.make(folder)
    owner = home.run.lstat()
    if owner.st_uid != (home.user.uid if home.user else os.geteuid()) or owner.st_mode & 0o077:
        raise ProfileError(f"{home.run} belongs to somebody else", hint="use a project folder with a shorter path")


def install(home: Home, project: Project) -> None:
    """As root, copy rendered files and secrets into the home; the copies are replaced whole."""
    if home.user is None:
        return
    for source, target in ((project.rendered, home.config), (project.secrets, home.secrets)):
        staged = target.with_name(target.name + ".new")
        shutil.rmtree(staged, ignore_errors=True)
        shutil.copytree(source, staged)
        for path in (staged, *staged.rglob("*")):
            home.own(path)
        staged.chmod(0o700)
        shutil.rmtree(target, ignore_errors=True)
        staged.rename(target)


def _claim(marker: Path, project: Project) -> None:
    mine = str(project.folder.resolve())
    if not marker.exists():
        marker.write_text(mine)
    if marker.read_text() != mine:
        raise ProfileError(
            f"the name {project.name} belongs to the project in {marker.read_text()}",
            hint="set another name in stackctl.yaml",
        )


def _run(root: Path) -> Path:
    folder = root / "run"
    if len(os.fsencode(folder)) <= _SOCKET_FOLDER and '"' not in str(folder):
        return folder
    return Path(f"/tmp/stackctl-{os.geteuid()}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:10]}")  # noqa: S108
