"""An archive that cannot be written to for a while, and what the server does about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from running_stack import Stack, eventually


def folder(stack: Stack) -> Path:
    """The archive of the stack's cluster."""
    (archive,) = stack.run("wal", "status", "--json").data["archives"]
    return Path(archive["path"])


def write(stack: Stack, number: int = 1) -> str:
    """Commit a row and end the segment; gives back its name."""
    stack.sql(f"INSERT INTO faults VALUES ({number})")
    # By itself, as the row's commit would else come after the end.
    return stack.sql("SELECT pg_walfile_name(pg_switch_wal())")


def archived(stack: Stack, name: str) -> None:
    archive = folder(stack)
    eventually(lambda: list(archive.glob(f"{name}-*")), 90, f"{name} is archived")


@contextmanager
def unreachable(archive: Path) -> Iterator[None]:
    """A file in the place of the folder: nobody can write there, root neither."""
    away = archive.rename(archive.with_name("away"))
    archive.write_text("")
    try:
        yield
    finally:
        archive.unlink()
        away.rename(archive)


def give_up(stack: Stack) -> list[str]:
    """Let the server give segments up, by its own command with a bound of one file; the names of all that it wrote."""
    archive = folder(stack)
    command = stack.sql("SHOW archive_command")
    bound = command.rsplit(" ", 2)[1]
    small = command.removesuffix(command[command.rindex(f" {bound} ") :]) + " 1 0"
    conf = stack.home / "rendered" / "postgres" / "postgresql.conf"
    good = conf.read_text()
    log = stack.home / "logs" / "postgres.log"
    known = log.stat().st_size
    with unreachable(archive):
        conf.write_text(good.replace(command.replace("'", "''"), small.replace("'", "''")))
        stack.sql("SELECT pg_reload_conf()")
        names = [write(stack) for _ in range(4)]
        eventually(lambda: b"GIVEN UP" in log.read_bytes()[known:], 120, "a file is given up")
    conf.write_text(good)
    stack.sql("SELECT pg_reload_conf()")
    return names
