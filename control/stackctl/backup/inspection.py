"""What those who look into a copy say of it: that it is damaged, or only that they could not look."""

from __future__ import annotations

import re
from pathlib import Path

from stackctl.engine.base import Programs
from stackctl.engine.runner import failed
from stackctl.errors import Damaged

_HOURS = 3600.0
# A block that is not as it was written, or not whole. A cluster that was not shut down, or a disk that gives an error
# of its own, says nothing of the backup.
_PAGES = re.compile(
    r'checksum verification failed in file|could not read block \d+ in file ".*": read \d+ of \d+|Bad checksums: +[1-9]'
)
_FILES = re.compile(
    r"checksum mismatch for file|has size \d+ on disk but size \d+ in"
    r"|is present (?:in the manifest but not on disk|on disk but not in)"
    r"|has checksum of length \d+|should contain \d+ bytes, but read \d+|manifest checksum mismatch"
    r"|manifest system identifier is \S+ but"
)
# Two blanks: so PostgreSQL writes it, and no program that did not reach the server.
_REFUSED = re.compile(r"\bERROR:  ")
# The resources and the programs of the place where the copy runs, and who ends a query there.
_HINDERED = re.compile(
    r"out of memory|Cannot allocate memory|No space left on device|could not resize shared memory|Too many open files"
    r"|temporary file size exceeds|canceling statement|terminating connection|could not access file \"\$libdir"
    r"|could not load library|server closed the connection|probably means the server|while processing the request"
)
# pg_amcheck writes the relation on a line of its own, and below it what it found, or why it could not look.
_BESIDE = re.compile(r":$|^(?:WARNING|NOTICE|DETAIL|HINT|CONTEXT|LOG):")
_CORRUPT = 2


def check_pages(programs: Programs, data: Path) -> None:
    """Compare every page of a stopped server with its checksum.

    Raises Damaged where one differs, EngineFailed where that could not be found out.
    """
    _look(programs, _PAGES, "the pages are not as they were written", data, "pg_checksums", "--check", "--pgdata")


def check_files(programs: Programs, data: Path) -> None:
    """Compare the files of a combined backup with its list. Raises Damaged or EngineFailed, as `check_pages` does."""
    _look(programs, _FILES, "the combined files are not those of their list", data, "pg_verifybackup", "--no-parse-wal")


def _look(programs: Programs, damage: re.Pattern[str], what: str, data: Path, program: str, *words: str) -> None:
    done = programs.run(program, *words, str(data), folders=[data], check=False, timeout=24 * _HOURS)
    if done.returncode == 0:
        return
    lines = (done.stderr + "\n" + done.stdout).splitlines()
    if named := next((line.strip() for line in lines if damage.search(line)), ""):
        raise Damaged(f"{what}: {named}", hint="restore another backup with --backup")
    raise failed(done)


def hindered(said: str) -> bool:
    """Whether the error of a query says nothing of the data: the server was not reached, or lacked something."""
    return not _REFUSED.search(said) or bool(_HINDERED.search(said))


def found_nothing(code: int, said: list[str]) -> bool:
    """Whether pg_amcheck, which ended with `code` and printed the lines `said`, found no damage, but could not look."""
    found = [line for line in said if not _BESIDE.search(line)]
    return code != _CORRUPT or all("FATAL:" in line or _HINDERED.search(line) for line in found)
