"""Command lines of Docker Compose, as lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stackctl.engine.query import LOCAL, PSQL


def compose(name: str, folder: Path, *words: str) -> list[str]:
    """`docker compose` for the project `name` whose rendered files are in `folder`.

    Without the file Compose still finds containers, networks and volumes by their labels, which is enough to stop.
    """
    file = folder / "compose.yaml"
    place = ["--project-directory", str(folder), "--file", str(file)] if file.exists() else []
    return ["docker", "compose", "--project-name", name, *place, *words]


def up(services: Sequence[str], timeout: int) -> list[str]:
    """Start or recreate what differs from the files, then wait until healthy.

    The long-running services are named: a one-off that ended would otherwise count as a failure of the wait.
    """
    return [
        "up",
        "--detach",
        "--remove-orphans",
        "--no-build",
        "--wait",
        "--wait-timeout",
        str(timeout),
        *services,
    ]


def down(destroy: bool) -> list[str]:
    """Stop and remove containers and networks; with `destroy` the volumes too."""
    return ["down", "--remove-orphans", *(["--volumes"] if destroy else [])]


def logs(service: str | None, tail: int) -> list[str]:
    """The last lines of one service without its name, or of all with theirs."""
    return ["logs", "--no-color", "--tail", str(tail), *(["--no-log-prefix", service] if service else [])]


def psql(database: str, *options: str) -> list[str]:
    """psql as the administrator, over the socket inside the database's container."""
    return [
        "exec",
        "-T",
        "--env",
        f"PGOPTIONS={LOCAL}",
        "postgres",
        "psql",
        *PSQL,
        "-U",
        "postgres",
        "-d",
        database,
        *options,
    ]
