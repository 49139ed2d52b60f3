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
OWNER = "project"


@dataclass(frozen=True)
class Home:
    """The folders of one embedded stack. As root, the project's files are copied to where the account reads them."""

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
            os.chown(path, self.user.uid, self.user.gid, follow_symlinks=False)

    def make(self, path: Path) -> Path:
        """Make a folder that the services may write to, mode 0700, where it is missing."""
        if path.is_symlink():
            raise ProfileError(f"{path} is a symbolic link", hint="remove it; stackctl makes a folder there")
        if not path.is_dir():
            path.mkdir(mode=0o700)
            self.own(path)
        return path

    @property
    def writable(self) -> tuple[Path, ...]:
        """Folders of the services' account; all else in the home is root's, so that no service changes it."""
        return (self.work, self.logs, self.run, self.root / "prometheus", self.root / "alertmanager")


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
    if "'" in str(home.root) and '"' in str(home.root):
        raise ProfileError(
            f"{home.root} has both kinds of quotes", hint="supervisord cannot be told such a path; rename it"
        )
    if home.user is None:
        home.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    else:
        _make_open(SYSTEM)
        _make_open(home.root)
        refuse_foreign(home, project)
        (home.root / OWNER).write_text(str(project.folder.resolve()))
    _make_open(home.root / "data")
    for folder in home.writable:
        home.make(folder)
    owner = home.run.lstat()
    if owner.st_uid != (home.user.uid if home.user else os.geteuid()) or owner.st_mode & 0o077:
        raise ProfileError(f"{home.run} belongs to somebody else", hint="use a project folder with a shorter path")


def _make_open(folder: Path) -> None:
    """Make a folder that others may pass through, whatever the umask says."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o755)


def install(home: Home, project: Project) -> None:
    """As root, copy rendered files and secrets into the home, for the account to read and not to write."""
    if home.user is None:
        return
    for source, target in ((project.rendered, home.config), (project.secrets, home.secrets)):
        staged = target.with_name(target.name + ".new")
        shutil.rmtree(staged, ignore_errors=True)
        shutil.copytree(source, staged)
        for path in (staged, *staged.rglob("*")):
            os.chown(path, 0, home.user.gid, follow_symlinks=False)
            path.chmod(0o750 if path.is_dir() else 0o640)
        shutil.rmtree(target, ignore_errors=True)
        staged.rename(target)


def refuse_foreign(home: Home, project: Project) -> None:
    """Raise ProfileError where the home of this name was made for another project folder that is still there."""
    marker = home.root / OWNER
    if home.user is None or not marker.is_file():
        return
    other = Path(marker.read_text())
    if other != project.folder.resolve() and (other / ".stackctl").is_dir():
        raise ProfileError(
            f"the name {project.name} belongs to the project in {other}",
            hint="set another name in stackctl.yaml",
        )


def _run(root: Path) -> Path:
    folder = root / "run"
    if len(os.fsencode(folder)) <= _SOCKET_FOLDER and '"' not in str(folder):
        return folder
    return Path(f"/tmp/stackctl-{os.geteuid()}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:10]}")  # noqa: S108
