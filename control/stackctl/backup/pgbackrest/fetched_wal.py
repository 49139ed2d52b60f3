"""Archived WAL, a few segments at a time fetched from the repository, for PostgreSQL's own reader while planning."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from stackctl.backup.last_commit import last_commit
from stackctl.backup.named_point import Points, points_in
from stackctl.backup.pgbackrest.copies import near
from stackctl.backup.pgbackrest.faults import first_words, number, outage, unread_error
from stackctl.backup.pgbackrest.stored import RemoteArchive
from stackctl.backup.pgbackrest.tool import PATIENCE, Tool
from stackctl.backup.protocol import Stored
from stackctl.backup.restore_plan import Candidate
from stackctl.backup.target import Target
from stackctl.backup.wal_files import WalUnread, along
from stackctl.backup.wal_name import Lsn
from stackctl.engine.base import Note, Programs
from stackctl.errors import StackError
from stackctl.render.pgbackrest import words

# 256 MiB on the project's disk.
_AT_ONCE = 16
# For one name, 16 GiB of WAL over the network. Who goes further back knows a time, or which backup.
_MOST = 1024
_HOURS = 3600.0
# `archive-get` wants a data directory, and there is none yet. `repo-get` decrypts; of what compressed a file its suffix
# tells, and apt's own program, which is in each image that is built here, reads all of them, and none.
_FETCH = """
left=$(mktemp -d) && cd "$left" || exit 126
trap 'rm -r "$left"' EXIT
place=$1
shift
while [ $# -gt 1 ]; do
    file=${{2##*/}}
    {get} repo-get "$2" >"$file" || exit
    /usr/lib/apt/apt-helper cat-file "$file" >"$place/$1" || exit
    found=$(sha1sum <"$place/$1")
    case ${{file#*-}} in
    "${{found%% *}}"*) ;;
    *) echo "$file: its bytes are not those that were archived" >&2; exit 126 ;;
    esac
    rm "$file"
    shift 2
done
"""


# Points by the backup, what was looked for, and how far.
Seen = dict[tuple[str, Target, Lsn], Collection[Lsn]]


@dataclass
class Allowance:
    """How many segments may still be fetched for what is looked for."""

    left: int = _MOST

    def spend(self, count: int) -> None:
        """Raises WalUnread where there are not so many."""
        if count > self.left:
            raise WalUnread(f"no more than {_MOST} segments are fetched for it", hint="--backup ID says where to begin")
        self.left -= count


class FetchedWal:
    """What one cluster has along a timeline; `programs` are those that do not reach the repository."""

    most = _AT_ONCE

    def __init__(
        self,
        tool: Tool,
        programs: Programs,
        archive: RemoteArchive,
        timeline: int,
        note: Note,
        allowance: Allowance,
    ) -> None:
        there = along(timeline, archive.segments(), archive.histories())
        paths = archive.paths()
        self._paths = {number: paths[segment] for number, segment in there.items()}
        self._tool, self._programs, self._note, self._allowance = tool, programs, note, allowance

    def numbers(self) -> Collection[int]:
        """Those that are archived."""
        return self._paths.keys()

    def bring(self, wanted: Mapping[str, int], place: Path) -> Sequence[Path]:
        """Fetch them, and compare their bytes with what was archived. Raises also where the store does not answer."""
        self._allowance.spend(len(wanted))
        names = sorted(self._paths[number].rsplit("/", 1)[-1][:24] for number in wanted.values())
        self._note(f"reading WAL of {self._tool.where}: {' to '.join(dict.fromkeys((names[0], names[-1])))}")
        # From here on it is the account's, and only the account writes there.
        self._programs.own(place)
        folder = f"archive/{self._tool.stanza}"
        pairs = [word for name, number in wanted.items() for word in (name, f"{folder}/{self._paths[number]}")]
        get = shlex.join([*words(self._tool.stanza), PATIENCE, "--log-level-console=off", "--log-level-stderr=error"])
        script = ("-c", _FETCH.format(get=get), "sh", str(place), *pairs)
        reaching = self._programs.with_repository()
        done = reaching.run("sh", *script, folders=[place], check=False, timeout=24 * _HOURS, quiet=True)
        if done.returncode:
            raise self._error(done.stderr)
        return ()

    def _error(self, said: str) -> StackError:
        """That of a store that does not answer; what is wrong with one file keeps nobody from planning."""
        code, why = number(said), first_words(said)
        away = None if code is None or unread_error(code, why) else outage(code, why, self._tool.where)
        return away or WalUnread(why, hint="stackctl wal verify")


def searching(tool: Tool, folder: Path, stored: Stored, note: Note, seen: Seen) -> Points:
    """What looks for points of a name, in a folder of its own in `folder`, and gives up after many segments.

    What was `seen` is not fetched again: a restore is planned twice, before and after somebody agreed to it.
    """
    allowance = Allowance()

    def found(chosen: Candidate, goal: Target, until: Lsn | None) -> Collection[Lsn] | None:
        assert chosen.window is not None, chosen.backup.id  # noqa: S101
        stretch = (chosen.backup.id, goal, chosen.window.end if until is None else until)
        try:
            if stretch not in seen:
                with _fetching(tool, folder, stored, chosen, note, allowance) as (files, programs, place):
                    seen[stretch] = points_in(files, programs, place, chosen, goal, until)
        except (WalUnread, OSError) as error:
            note(f"nobody knows where {goal} is: {error}; the newest backup is tried, and --backup ID names another")
            return None
        return seen[stretch]

    return found


def last_archived(tool: Tool, folder: Path, stored: Stored, chosen: Candidate, note: Note) -> datetime | None:
    """When the last archived commit was of what leads from a backup; None where nobody knows."""
    if chosen.window is None:
        return None
    try:
        with _fetching(tool, folder, stored, chosen, note, Allowance()) as (files, programs, place):
            return last_commit(files, chosen.window, chosen.backup.finished_at, programs, place)
    except (WalUnread, OSError) as error:
        note(f"nobody knows when the last archived commit was: {error}")
        return None


@contextmanager
def _fetching(
    tool: Tool, folder: Path, stored: Stored, chosen: Candidate, note: Note, allowance: Allowance
) -> Iterator[tuple[FetchedWal, Programs, Path]]:
    """The WAL behind a backup, what reads it without the keys of the store, and where."""
    archive = stored.archive(chosen.backup.system)
    assert isinstance(archive, RemoteArchive), archive.place  # noqa: S101
    assert chosen.window is not None, chosen.backup.id  # noqa: S101
    with tool.engine.programs() as programs, near(folder, programs) as place:
        yield FetchedWal(tool, programs, archive, chosen.window.timeline, note, allowance), programs, place
