"""Where an embedded stack lives: below the project, or below /var/lib/stackctl when stackctl is root."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackctl.engine.project import Project
from stackctl.engine.runner import Runner, SystemUser
from stackctl.errors import ProfileError

SYSTEM = Path("/var/lib/stackctl")
# A unix socket's path holds 107 bytes; the longest name put below the folder is ".s.PGSQL.65535.lock".
_SOCKET_FOLDER = 107 - 24


@dataclass(frozen=True)
class Home:
    """The folders of one embedded stack. As root, the project's files are copied to where the account reads them."""

    root: Path
    config: Path
    secrets: Path
    run: Path
    user: SystemUser | None
    repository: Path | None = None
    generation: int = 0

    @property
    def work(self) -> Path:
        """Working directory of the services, and what they keep."""
        return self.root / "work"

    @property
    def logs(self) -> Path:
        """One log file for each service."""
        return self.root / "logs"

    @property
    def backups(self) -> Path:
        """The project's repository; else in its folder, as root beside the home, where the account can go."""
        return self.repository or (
            self.root.parents[1] / "backups" if self.user is None else self.root.with_name(f"{self.root.name}.backups")
        )

    @property
    def disk(self) -> Path:
        """The folder of the data directories, which may be a disk of its own."""
        return self.root / "data"

    def data(self, postgres: int) -> Path:
        """Data directory of PostgreSQL `postgres`; each restore makes one with a number of its own."""
        return self.disk / (f"{postgres}.{self.generation}" if self.generation else str(postgres))

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders that the services write to."""
        root = self.root
        return (self.work, self.logs, self.run, self.disk, root / "prometheus", root / "alertmanager")


def home_of(project: Project, user: SystemUser | None, generation: int = 0) -> Home:
    """The folders for `project`; nothing is made yet."""
    if user is None:
        root = project.private / "embedded"
        return Home(root, project.rendered, project.secrets, run_folder(root), None, project.repository, generation)
    root = SYSTEM / project.name
    return Home(root, root / "rendered", root / "secrets", run_folder(root), user, project.repository, generation)


def settle(home: Home, project: Project, runner: Runner) -> None:
    """Make the folders, mode 0700.

    As root, the home belongs to the services' account; what happens inside it happens as that account, so that
    nothing it puts there, such as a link, can make root write elsewhere. Raises ProfileError where the name belongs to
    another project, or the socket folder to another user.
    """
    if "'" in str(home.root) and '"' in str(home.root):
        raise ProfileError(f"{home.root} has both kinds of quotes", hint="rename it: supervisord knows no escapes")
    if home.user is None:
        home.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    else:
        make_open(SYSTEM)
        refuse_foreign(home, project)
        _owner_file(home).write_text(str(project.folder.resolve()))
        if not home.root.is_dir():
            home.root.mkdir(mode=0o700)
            os.chown(home.root, home.user.uid, home.user.gid, follow_symlinks=False)
    as_account(home, runner, "mkdir", "-p", "-m", "0700", *map(str, home.folders))
    owner = home.run.lstat()
    if owner.st_uid != (home.user.uid if home.user else os.geteuid()) or owner.st_mode & 0o077:
        raise ProfileError(f"{home.run} belongs to somebody else", hint="use a project folder with a shorter path")


def as_account(home: Home, runner: Runner, *argv: str) -> None:
    """Run a small command as the services' account."""
    runner.run(argv, user=home.user, cwd=Path("/"), quiet=True, timeout=300)


def install(home: Home, project: Project, runner: Runner) -> None:
    """As root, copy rendered files and secrets to where the account can read them."""
    if home.user is None:
        return
    for source, target in ((project.rendered, home.config), (project.secrets, home.secrets)):
        with staging(home) as staged:
            shutil.copytree(source, staged / "tree")
            hand_over(home, runner, staged / "tree", target)


@contextmanager
def staging(home: Home) -> Iterator[Path]:
    """A folder of root's that the account may read and nobody else may enter."""
    assert home.user is not None, "only root stages"  # noqa: S101
    for left in SYSTEM.iterdir():
        # What a killed run left; the project's lock keeps others out.
        if re.fullmatch(rf"\.{re.escape(home.root.name)}-[a-z0-9_]{{8}}", left.name):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{home.root.name}-", dir=SYSTEM))
    try:
        os.chown(folder, 0, home.user.gid)
        folder.chmod(0o750)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def open_to_all(tree: Path) -> None:
    """Let everybody read what is below `tree`, and run what its owner can."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def hand_over(home: Home, runner: Runner, tree: Path, target: Path) -> None:
    """Let the account copy `tree` to `target` and put it in the place of what was there."""
    open_to_all(tree)
    script = 'rm -rf "$2.new" && cp -R "$1" "$2.new" && chmod -R go-rwx "$2.new" && rm -rf "$2" && mv "$2.new" "$2"'
    as_account(home, runner, "sh", "-c", script, "sh", str(tree), str(target))


def refuse_foreign(home: Home, project: Project) -> None:
    """Raise ProfileError where the home of this name was made for another project folder that is still there."""
    if home.user is None or not _owner_file(home).is_file():
        return
    other = Path(_owner_file(home).read_text())
    if other != project.folder.resolve() and (other / ".stackctl").is_dir():
        raise ProfileError(
            f"the name {project.name} belongs to the project in {other}",
            hint="set another name in stackctl.yaml",
        )


def remove(home: Home) -> None:
    """Remove the home with all that is in it."""
    for folder in (home.root, home.run):
        shutil.rmtree(folder, ignore_errors=True)
    if home.user is not None:
        _owner_file(home).unlink(missing_ok=True)


def _owner_file(home: Home) -> Path:
    """Beside the home and root's own, as it decides whose data may be stopped and destroyed."""
    return home.root.with_name(f"{home.root.name}.project")


def make_open(folder: Path) -> None:
    """Make a folder that others may pass through, whatever the umask says."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o755)


def run_folder(root: Path) -> Path:
    """The folder for the sockets of a home at `root`: in it, where its path is not too long for them."""
    folder = root / "run"
    if len(os.fsencode(folder)) <= _SOCKET_FOLDER and '"' not in str(folder):
        return folder
    return Path(f"/tmp/stackctl-{os.geteuid()}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:10]}")  # noqa: S108
