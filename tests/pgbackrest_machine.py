"""A repository that the real pgBackRest filled for a real server: on this machine, or in a container of the image."""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackctl.backup.pgbackrest.engine import PgBackRestEngine
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.engine.runner import Completed
from stackctl.errors import EngineFailed
from stackctl.render.pgbackrest import CONFIG, KEYS, words

STANZA, PORT = "shop", "28111"
# PostgreSQL's, which are in no folder that a shell looks into.
_OWN = ("initdb", "pg_ctl", "psql", "pg_waldump")
# The oldest one that says what ours is asked for.
_OLDEST = (2, 55)
_CONFIG = """[global]
repo1-path={folder}/{repository}
repo1-bundle=y
repo1-block=y
repo1-retention-full=9999999
expire-auto=n
compress-type={compression}
process-max=2
start-fast=y
log-level-console=warn
log-level-stderr=off
log-level-file=off
lock-path={folder}/lock
job-retry=0
{more}
[shop]
pg1-path={folder}/data
pg1-port=28111
pg1-socket-path={folder}
pg1-user=postgres
pg1-database=postgres
"""
SETTINGS = {
    "port": PORT,
    "listen_addresses": "",
    "unix_socket_directories": "{folder}",
    "fsync": "off",
    "wal_level": "replica",
    "archive_mode": "on",
}


def here() -> Path | None:
    """The folder of PostgreSQL's programs where this machine has them and a pgBackRest that is new enough."""
    program = shutil.which("pgbackrest")
    if program is None:
        return None
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
    found = sorted(Path("/usr/lib/postgresql").glob("1[5-7]/bin"))
    return found[-1] if found and version >= _OLDEST else None


@dataclass
class Machine:
    """Where programs run: with a `prefix` in a container, which has `folder` under the same path."""

    folder: Path
    programs_folder: Path
    prefix: tuple[str, ...] = ()
    user: Mapping[str, Any] = field(default_factory=dict)
    name = "machine"

    def run(
        self,
        program: str,
        *arguments: str,
        folders: Sequence[Path] = (),
        check: bool = True,
        timeout: float = 60,
        quiet: bool = False,
    ) -> Completed:
        places = {CONFIG: f"{self.folder}/pgbackrest.conf", KEYS: f"{self.folder}/keys"}
        argv = [str(self.programs_folder / program) if program in _OWN else program, *arguments]
        for place, mine in places.items():
            argv = [word.replace(place, mine) for word in argv]
        how: dict[str, Any] = {"capture_output": True, "text": True, "errors": "replace", "cwd": self.folder}
        done = subprocess.run([*self.prefix, *argv], check=False, **how, **self.user)
        if check and done.returncode != 0:
            raise EngineFailed(f"{argv}: {done.stdout}{done.stderr}", hint="")
        return Completed(tuple(argv), done.returncode, done.stdout, done.stderr)

    @contextmanager
    def programs(self) -> Iterator[Machine]:
        yield self

    def with_repository(self) -> Machine:
        return self

    def group(self) -> int:
        return self.folder.stat().st_gid

    def own(self, path: Path) -> None:
        """To the account, whose the folder is."""
        os.chown(path, self.folder.stat().st_uid, self.group())

    def beside(self, argv: Sequence[str], timeout: float, *, looking: bool = False) -> Completed:
        return self.run(*argv, check=False)

    def query(self, sql: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.sql(f"SELECT json_agg(q) FROM ({sql}) q"))
        return found

    def reload(self) -> None:
        """Nobody waits for it."""

    def sql(self, sql: str) -> str:
        login = ("-h", str(self.folder), "-p", PORT, "-U", "postgres", "-At", "-q", "-v", "ON_ERROR_STOP=1")
        return self.run("psql", *login, "-c", sql).stdout.strip()

    def pgbackrest(self, *arguments: str) -> str:
        return self.run(*words(STANZA), *arguments).stdout

    def keys(self) -> str:
        """What opens the repository."""
        path = self.folder / "keys" / "keys.conf"
        return path.read_text() if path.exists() else ""

    def restore(self, config: str, keys: str) -> None:
        """Go back to an earlier configuration."""
        (self.folder / "pgbackrest.conf").write_text(config)
        (self.folder / "keys" / "keys.conf").write_text(keys)

    def configure(self, compression: str, *, encrypted: bool, repository: str = "repository") -> None:
        """Name a repository in the folder, which is made by the first command for it."""
        shutil.rmtree(self.folder / "keys", ignore_errors=True)
        (self.folder / "keys").mkdir()
        more = ""
        if encrypted:
            more = "repo1-cipher-type=aes-256-cbc\n"
            (self.folder / "keys" / "keys.conf").write_text("[global]\nrepo1-cipher-pass=secret\n")
        text = _CONFIG.format(folder=self.folder, repository=repository, compression=compression, more=more)
        (self.folder / "pgbackrest.conf").write_text(text)

    def start(self, data: Path | None = None, **settings: str) -> None:
        """Start the server on its own data, or on a copy."""
        mine = {name: value.format(folder=self.folder) for name, value in SETTINGS.items()} | settings
        mine.setdefault("archive_command", self._command("archive-push %p"))
        options = " ".join(f"-c {name}='{value}'" for name, value in mine.items())
        where = str(data or self.folder / "data")
        self.run("pg_ctl", "-D", where, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, data: Path | None = None) -> None:
        self.run("pg_ctl", "-D", str(data or self.folder / "data"), "-m", "fast", "stop")

    def branch(self) -> None:
        """Stop the server, and start it on a timeline of its own."""
        self.stop()
        self.run("touch", "data/recovery.signal")
        self.start(restore_command=self._command('archive-get %f "%p"'))
        while self.sql("SELECT pg_is_in_recovery()") == "t":
            time.sleep(0.2)

    def _command(self, command: str) -> str:
        mine = (f"--config={self.folder}/pgbackrest.conf", f"--config-include-path={self.folder}/keys")
        return " ".join(["pgbackrest", *mine, f"--stanza={STANZA}", command])

    def archived(self) -> str:
        """Fill a segment with what does not compress, and wait until it is archived."""
        text = "CREATE TABLE IF NOT EXISTS noise (b bytea); ALTER TABLE noise ALTER b SET STORAGE EXTERNAL"
        self.sql(text)
        self.sql(
            "INSERT INTO noise SELECT decode(string_agg(md5(random()::text || n), ''), 'hex') "
            "FROM generate_series(1, 100000) n GROUP BY n % 20"
        )
        name = self.sql("SELECT pg_walfile_name(pg_current_wal_lsn() - 1) FROM (SELECT pg_switch_wal()) s")
        self.sql(
            "DO $$ BEGIN FOR i IN 1..600 LOOP "
            f"IF (SELECT last_archived_wal >= '{name}' FROM pg_stat_archiver) THEN RETURN; END IF; "
            "PERFORM pg_sleep(0.1), pg_stat_clear_snapshot(); END LOOP; RAISE 'not archived'; END $$"
        )
        return name

    def engine(self) -> PgBackRestEngine:
        tool = Tool(self, STANZA, str(self.folder / "repository"), self.folder / "repository")  # type: ignore[arg-type]
        moment = datetime(2026, 11, 1, tzinfo=UTC)
        hold = lambda _what, _shared, _tidy: nullcontext()  # noqa: E731
        return PgBackRestEngine(tool, self.folder, lambda: moment, hold)

    def fill(self) -> None:
        """A full backup, an incremental one, another timeline with a full one, and WAL behind each."""
        self.run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-k", "-N")
        self.start()
        self.pgbackrest("stanza-create")
        self.archived()
        self.pgbackrest("--type=full", "backup")
        self.archived()
        self.pgbackrest("--type=incr", "backup")
        self.archived()
        self.branch()
        self.archived()
        self.pgbackrest("--type=full", "backup")
        self.archived()


@contextmanager
def machine(folder: Path, image: str | None) -> Iterator[Machine]:
    """Programs of this machine, or of `image`."""
    folder.chmod(0o755)
    if image is None:
        programs = here()
        assert programs is not None
        root = os.geteuid() == 0
        account = pwd.getpwnam("postgres") if root else pwd.getpwuid(os.geteuid())
        if root:
            os.chown(folder, account.pw_uid, account.pw_gid)
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if root else {}
        made = Machine(folder, programs, user=user)
        try:
            yield made
        finally:
            made.run("pg_ctl", "-D", "data", "-m", "immediate", "stop", check=False)
        return
    name = f"stackctl-test-{secrets.token_hex(4)}"
    os.chown(folder, 999, 999)
    mount = ("--mount", f"type=bind,source={folder},target={folder}")
    start = ["docker", "run", "--detach", "--init", "--name", name, "--network", "none", "--user", "999:999", *mount]
    subprocess.run([*start, "--entrypoint", "sleep", image, "infinity"], check=True, capture_output=True)
    try:
        prefix = ("docker", "exec", "--workdir", str(folder), name)
        yield Machine(folder, Path("/usr/lib/postgresql/17/bin"), prefix)
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True)
