"""Options that several commands share: the profile flags, and the global options in any place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

_PANEL = "Profile"


def _option(help_text: str, metavar: str) -> Any:
    return Annotated[str | None, typer.Option(help=help_text, metavar=metavar, rich_help_panel=_PANEL)]


PROFILE: dict[str, Any] = {
    "ram": _option("The host's memory, divided among all services.", "16G"),
    "cpus": _option("CPUs the stack may use.", "4"),
    "storage": _option("Kind of disk: hdd, ssd, nvme, network.", "ssd"),
    "disk": _option("Size of the disk under the data.", "200G"),
    "workload": _option("What the database mostly does: web, oltp, olap, mixed, dev.", "web"),
    "pg": _option("PostgreSQL major version: 15 to 18.", "18"),
    "app_workers": _option("Worker processes of the app.", "4"),
    "connections": _option("max_connections; pools are sized from it.", "N"),
    "pooler": _option("Connection pooler: none, pgbouncer.", "none"),
    "wal_rate": _option("WAL written in a busy second; max_wal_size follows from it.", "5M"),
    "disk_limit": _option("Rehearse a disk: iops=3000,mbps=125, or a volume such as aws-gp3.", "aws-gp3"),
    "build": _option("The server's features: lz4,zstd,llvm,io_uring, full, portable, or its bin folder.", "portable"),
    "engine": _option("Where the stack runs: auto, docker, embedded.", "auto"),
    "images": _option("Where images come from: public, debian (built here).", "public"),
}
_SET = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Pin any PostgreSQL parameter; repeatable.",
        rich_help_panel=_PANEL,
    ),
]
_FIT = Annotated[bool, typer.Option("--fit", help="Scale a larger profile down to this host.", rich_help_panel=_PANEL)]

GLOBAL_SWITCHES = ("--json", "--quiet", "--verbose", "--no-color")


def with_profile(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the profile flags; it is called with them as `flags` and `sets`."""

    def called(**given: Any) -> None:
        flags: dict[str, str | None] = {name: given.pop(name) for name in PROFILE}
        flags["fit"] = "true" if given.pop("fit") else None
        command(flags=flags, sets=given.pop("set_") or [], **given)

    own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name not in ("flags", "sets")]
    kind = inspect.Parameter.KEYWORD_ONLY
    shared = [inspect.Parameter(name, kind, default=None, annotation=note) for name, note in PROFILE.items()]
    shared.append(inspect.Parameter("set_", kind, default=None, annotation=_SET))
    shared.append(inspect.Parameter("fit", kind, default=False, annotation=_FIT))
    parameters = [p.replace(kind=kind) for p in own] + shared
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    called.__doc__, called.__name__ = command.__doc__, command.__name__
    return called


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move the global options to the front, so that they work before and after the command.

    `--format json` is `--json` as well, for every failure to be a document too.
    """
    front, rest = [], []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            rest += [word, *waiting]
            break
        if word in GLOBAL_SWITCHES or word.startswith("--project="):
            front.append(word)
        elif word == "--project" and waiting:
            front += [word, waiting.pop(0)]
        else:
            if word == "--format=json" or (word == "--format" and waiting[:1] == ["json"]):
                front.append("--json")
            rest.append(word)
    return front + rest


def command_of(arguments: Sequence[str]) -> str:
    """The command's name among `arguments`, empty where there is none."""
    waiting = hoist(arguments)
    while waiting and waiting[0].startswith("-"):
        waiting = waiting[2 if waiting[0] == "--project" else 1 :]
    return waiting[0] if waiting else ""
