"""The command line: parse, call one operation, print its result, turn errors into exit codes."""

from __future__ import annotations

import errno
import io
import signal
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Annotated, Any

import typer

from stackctl import __version__
from stackctl.cli import commands
from stackctl.cli.options import command_of, hoist
from stackctl.cli.output import Output, mute
from stackctl.cli.session import session
from stackctl.cli.signals import ended_by
from stackctl.errors import Problem, StackError, UsageError, failed_disk
from stackctl.operations.result import INTERRUPTED, Line, Result

# Typer carries its own copy of Click; its exceptions are reached through the public name that derives from them.
_ClickError: Any = typer.BadParameter.__mro__[2]

DEFECT = 1
DISK_FULL = 20
USAGE = 2
# Half of their work is a failure, even where only a reader went away.
CHANGING = ("init", "render", "up", "down", "restore")


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
        session.finish(Result({"version": __version__}, [Line(f"stackctl {__version__}")]))
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
    session.began = session.finished = False
    with ended_by(signal.SIGTERM, signal.SIGHUP):
        code = _bounded(lambda: _call(hoist(arguments)))
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        mute(sys.stdout)
    except OSError as error:
        return _full(error)
    return code


def _call(arguments: list[str]) -> Any:
    if "--help" in arguments and "--json" in arguments:
        return _help(arguments)
    code = build(session.command)(arguments, prog_name="stackctl", standalone_mode=False)
    if code == INTERRUPTED and not session.finished:
        # Typer makes an exit code of it, and nobody would have said a word.
        raise KeyboardInterrupt
    sys.stdout.flush()
    return code


def _help(arguments: list[str]) -> Any:
    """The help text as the document that --json promises."""
    text = io.StringIO()
    with redirect_stdout(text):
        code = build(session.command)(arguments, prog_name="stackctl", standalone_mode=False)
    if session.finished:
        # `--help` was the value of an option.
        sys.stdout.write(text.getvalue())
        return code
    session.output.as_json = True
    session.finish(Result({"help": text.getvalue()}, []))
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
    except (BrokenPipeError, SystemExit) as error:
        return _unread(error)
    except Exception as error:
        return _defect(error)
    return code if isinstance(code, int) else 0


def _unread(error: BaseException) -> int:
    """A reader that went away, such as `head`; Typer makes SystemExit(1) of it."""
    if session.began and session.command in CHANGING:
        return _defect(error)
    mute(sys.stdout)
    return 0


def _full(error: OSError) -> int:
    """No space left, for the output itself or for a file."""
    mute(sys.stdout)
    # The document had its place on the stream that is full.
    session.output.as_json = False
    where = error.filename or "where the output goes"
    problem = Problem("disk_full", f"no space left on the device: {where}", "free some space, then run it again")
    session.output.failure(session.command, [problem])
    return DISK_FULL


def _defect(error: BaseException) -> int:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return _full(error)
    if isinstance(error, OSError) and (failed := failed_disk(error)):
        session.output.failure(session.command, failed.problems)
        return failed.exit_code
    if session.output.verbose:
        import traceback

        traceback.print_exc()
    text = f"defect in stackctl: {type(error).__name__}: {error}"
    session.output.failure(
        session.command, [Problem("defect", text, "run it again with --verbose and report what it prints")]
    )
    return DEFECT
