"""The command line: parse, call one operation, print its result, turn errors into exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from stackctl import __version__
from stackctl.cli import commands
from stackctl.cli.options import command_of, hoist
from stackctl.cli.output import Output
from stackctl.cli.session import session
from stackctl.errors import Problem, StackError, UsageError

# Typer carries its own copy of Click; its exceptions are reached through the public name that derives from them.
_ClickError: Any = typer.BadParameter.__mro__[2]

INTERRUPTED = 130
DEFECT = 1
USAGE = 2


def build(only: str = "") -> typer.Typer:
    """The command line with the one command that was asked for, or with all."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback(invoke_without_command=True)(options)
    commands.register(app, only)
    return app


def options(
    context: typer.Context,
    project: Annotated[str, typer.Option(help="Project folder.", metavar="DIR")] = ".",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show a traceback on a defect.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Run a tuned, watched PostgreSQL under a Python web app on one machine."""
    session.project = project
    session.command = context.invoked_subcommand or ""
    session.output = Output(as_json=as_json, quiet=quiet, verbose=verbose, color=not no_color)
    if version:
        sys.stdout.write(f"stackctl {__version__}\n")
        raise typer.Exit
    if context.invoked_subcommand is None:
        if as_json:
            raise UsageError("no command is given", hint="stackctl --help lists the commands and their options")
        sys.stdout.write(context.get_help() + "\n")
        raise typer.Exit(USAGE)


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run `arguments`; gives back the exit code. All errors end here."""
    session.output = Output(as_json="--json" in arguments)
    session.command = command_of(arguments)
    return _bounded(lambda: _call(hoist(arguments)))


def _call(arguments: list[str]) -> Any:
    code = build(session.command)(arguments, prog_name="stackctl", standalone_mode=False)
    if code == INTERRUPTED and not session.finished:
        # Typer makes an exit code of it, and nobody would have said a word.
        raise KeyboardInterrupt
    sys.stdout.flush()
    return code


def _bounded(call: Callable[[], Any]) -> int:
    try:
        code = call()
    except StackError as error:
        session.output.failure(session.command, error.problems)
        return error.exit_code
    except _ClickError as error:
        problem = Problem("usage", error.format_message(), "stackctl --help lists the commands and their options")
        session.output.failure(session.command, [problem])
        return int(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        session.output.failure(session.command, [Problem("interrupted", "interrupted", "")])
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # A reader that went away, such as `head`; Typer makes SystemExit(1) of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _defect(error)
    return code if isinstance(code, int) else 0


def _defect(error: Exception) -> int:
    if session.output.verbose:
        import traceback

        traceback.print_exc()
    text = f"defect in stackctl: {type(error).__name__}: {error}"
    session.output.failure(
        session.command, [Problem("defect", text, "run it again with --verbose and report what it prints")]
    )
    return DEFECT
