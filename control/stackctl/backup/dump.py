"""Dumps by pg_dump: one database as its objects and rows, which any later version of PostgreSQL can read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from stackctl.backup.model import Backup, Kind
from stackctl.backup.native import Clock, Cluster
from stackctl.backup.plain_file import content
from stackctl.backup.progress import growing
from stackctl.backup.repository import DATA, Repository
from stackctl.engine.base import Note, Programs, Throwaway
from stackctl.errors import BackupFailed, EngineFailed, RestoreRefused, StackError

DATABASE = "app"
GLOBALS = "globals.sql"
# Roles and tablespaces only: megabytes would be tens of thousands of them.
_LONGEST_GLOBALS = 64 * 2**20
_LIMIT = 24 * 3600.0
_GUIDE = "RESTORE.txt"
# As the stack's own data directories are made.
_INITDB = ("--data-checksums", "--auth-local=peer", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8")
_SUPERUSER = re.compile(r"(?m)^(CREATE|ALTER) ROLE postgres\b.*$")


@dataclass(frozen=True)
class Part:
    """What to restore of a dump: one table or one schema; neither is all of it."""

    schema: str | None = None
    table: str | None = None

    def options(self) -> tuple[str, ...]:
        """For pg_restore, which reads them as names, not as patterns."""
        schema = ("--schema", self.schema) if self.schema else ()
        return (*schema, *(("--table", self.table) if self.table else ()))

    def listed(self, contents: str) -> bool:
        """Whether the table of contents has it."""
        schema = re.escape(self.schema) if self.schema else r"\S+"
        if self.table:
            kinds = "TABLE|VIEW|MATERIALIZED VIEW|SEQUENCE|FOREIGN TABLE"
            wanted = rf"({kinds}) {schema} {re.escape(self.table)} "
        else:
            # Every database has the schema public, and a dump mentions it only where it is not as usual.
            wanted = rf"SCHEMA - {schema} \S+$" if self.schema not in (None, "public") else ""
        return bool(re.search(rf"(?m)^\d+; \d+ \d+ {wanted}", contents))


def take(repository: Repository, programs: Programs, cluster: Cluster, jobs: int, clock: Clock, note: Note) -> Backup:
    """Dump the app's database with `jobs` connections at once, and read the dump as a restore would.

    Roles come with it, their passwords do not: only a superuser may read those, and the stack has its own.
    Raises BackupFailed; what was dumped until then is removed.
    """
    started = clock()
    with repository.working(Kind.LOGICAL, started) as (identifier, folder):
        data = folder / DATA
        programs.claim(data)
        note(f"dumping to {repository.path(identifier)}")
        place = ("--format", "directory", "--jobs", str(jobs), "--file", str(data / DATABASE))
        # How large it becomes depends on how well its rows can be compressed.
        with growing(data, note):
            _run(programs, "pg_dump", *programs.login(), *place, DATABASE, folder=data)
        roles = ("--globals-only", "--no-role-passwords", "--no-tablespaces", "--database", DATABASE)
        _run(programs, "pg_dumpall", *programs.login(), *roles, "--file", str(data / GLOBALS), folder=data)
        note("reading the dump")
        _run(programs, "pg_restore", "--file", "/dev/null", str(data / DATABASE), folder=data)
        (folder / _GUIDE).write_text(_guide(identifier, cluster))
        finished = clock()
        taken = Backup(
            identifier, Kind.LOGICAL, "native", started, finished, 0, cluster.postgres, cluster.system, "",
            verified_at=finished,
        )  # fmt: skip
        return repository.finish(folder, taken)


def restore(programs: Programs, dump: Path, folder: Path, part: Part, jobs: int, note: Note) -> Path:
    """Make a data directory in `folder` out of the files of a dump, or of a part of it.

    Raises RestoreRefused where the dump lacks the part, EngineFailed where it cannot be restored.
    """
    contents = programs.run("pg_restore", "--list", str(dump / DATABASE), folders=[dump], timeout=_LIMIT).stdout
    if not part.listed(contents):
        raise RestoreRefused(f"the dump has no {_said(part)}", hint="pg_restore --list shows what it has")
    data = folder / DATA
    programs.claim(data)
    note("making an empty data directory")
    programs.run("initdb", "--pgdata", str(data), "--username", "postgres", *_INITDB, folders=[data], timeout=600)
    (folder / GLOBALS).write_text(_SUPERUSER.sub("", content(dump / GLOBALS, _LONGEST_GLOBALS).decode()))
    extensions = "".join(f"{line}\n" for line in contents.splitlines() if " EXTENSION - " in line)
    (folder / "extensions.list").write_text(extensions)
    for name in (GLOBALS, "extensions.list"):
        programs.own(folder / name)
    note(f"restoring {_said(part)}")
    with programs.serve(data, {}, [folder, dump], 600) as server, growing(data, note):
        _fill(server, dump / DATABASE, folder, part, jobs)
    return data


def _fill(server: Throwaway, dump: Path, folder: Path, part: Part, jobs: int) -> None:
    psql = ("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d")
    server.run(*psql, "postgres", "-f", str(folder / GLOBALS), timeout=600)
    load = ("pg_restore", "--exit-on-error", "--no-tablespaces")
    if not part.options():
        server.run(*load, "--jobs", str(jobs), "--create", "-d", "postgres", str(dump), timeout=_LIMIT)
        return
    server.run("createdb", "--template", "template0", DATABASE)
    # A part comes without what it stands in.
    server.run(*load, "-d", DATABASE, "--use-list", str(folder / "extensions.list"), str(dump), timeout=600)
    if part.schema:
        quoted = part.schema.replace('"', '""')
        server.run(*psql, DATABASE, "-c", f'CREATE SCHEMA IF NOT EXISTS "{quoted}"')
    server.run(*load, "--jobs", str(jobs), *part.options(), "-d", DATABASE, str(dump), timeout=_LIMIT)


def _said(part: Part) -> str:
    schema = f"schema {part.schema}" if part.schema else "schema"
    if part.table:
        return f"table {part.table}" + (f" in {schema}" if part.schema else "")
    return schema if part.schema else f"database {DATABASE}"


def _run(programs: Programs, program: str, *arguments: str, folder: Path) -> None:
    try:
        programs.run(program, *arguments, folders=[folder], timeout=_LIMIT)
    except EngineFailed as error:
        raise BackupFailed(str(error), hint="earlier backups are as they were") from error
    except StackError as error:
        raise BackupFailed(str(error), hint=error.hint) from error


def _guide(identifier: str, cluster: Cluster) -> str:
    return f"""Restore {identifier}, a dump, with PostgreSQL {cluster.postgres} or newer

1. Check that every byte is as it was written:      sha256sum --check checksums.txt
2. In a new cluster, as its superuser, make the roles:   psql -d postgres -f data/{GLOBALS}
   They have no passwords; give them new ones.
3. Restore the database:     pg_restore --create -d postgres data/{DATABASE}
   or one table into a database that is there:   pg_restore --table NAME -d DATABASE data/{DATABASE}
"""
