"""The backup engine pgBackRest, behind the protocol that the native one has too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from stackctl.backup.inspection import check_pages
from stackctl.backup.joined import in_order
from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.moving import landing
from stackctl.backup.named_point import Points
from stackctl.backup.noted import note_backups
from stackctl.backup.pgbackrest.copies import near
from stackctl.backup.pgbackrest.expire import expire
from stackctl.backup.pgbackrest.faults import damaged_pages
from stackctl.backup.pgbackrest.fetched_wal import Seen, last_archived, searching
from stackctl.backup.pgbackrest.info import notes
from stackctl.backup.pgbackrest.left import marked, tidy
from stackctl.backup.pgbackrest.progress import counted
from stackctl.backup.pgbackrest.stanza import make_ready
from stackctl.backup.pgbackrest.stored import StanzaStored
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.pgbackrest.verification import read, to_note
from stackctl.backup.pgbackrest.workshop import ContainerWorkshop
from stackctl.backup.protocol import Restoration, Stored, Workshop
from stackctl.backup.restore import Replay
from stackctl.backup.restore_plan import Candidate, refuse_early, refuse_later
from stackctl.backup.retention import restorable
from stackctl.backup.target import Target
from stackctl.backup.verify import Finding
from stackctl.engine import noted
from stackctl.engine.base import Note, Programs, Throwaway
from stackctl.errors import BackupFailed, Locked, NothingToBuildOn, StackError, UsageError
from stackctl.units import Bytes

_LABEL = re.compile(r"new backup label = (\S+)")
_TYPES = {Kind.FULL: "full", Kind.INCREMENTAL: "incr"}

Clock = Callable[[], datetime]
Lock = Callable[[str, bool, Callable[[], None]], AbstractContextManager[None]]
Beside = Callable[[], Iterable[Backup]]


class PgBackRestEngine:
    """Backups of one stanza.

    `lock` is called with what is at work, whether beside others that only read, and what to do first where nobody else
    is at work; pgBackRest has locks of its own. Drills make their copies in `folder`. The observer is told of the
    backups that are `beside`, too.
    """

    name = "pgbackrest"

    def __init__(self, tool: Tool, folder: Path, clock: Clock, lock: Lock, beside: Beside = tuple) -> None:
        self._tool = tool
        self._folder = folder
        self._clock = clock
        self._lock = lock
        self._seen: Seen = {}
        self._beside = beside

    def stored(self) -> StanzaStored:
        """What the repository holds now."""
        return StanzaStored(self._tool)

    @contextmanager
    def working(self, what: str, note: Note, *, shared: bool = False) -> Iterator[None]:
        """Hold the lock. What a killed run left is ended: a backup of it would write over all that was noted meanwhile.

        pgBackRest itself removes what an interrupted backup left in the repository, when it takes the next one.
        """
        with self._lock(what, shared, lambda: tidy(self._tool, self._folder, note)):
            try:
                yield
            finally:
                # What only reads changes nothing that anybody would be told of.
                if not shared:
                    self._told(note)

    def as_it_is(self, what: str, *, shared: bool = True) -> AbstractContextManager[None]:
        """Hold the lock, and leave alone what a killed run left. Raises Locked."""
        return self._lock(what, shared, lambda: None)

    def write_down(self) -> None:
        """Write down what the repository holds, for the observer. Raises StackError."""
        note_backups(self._folder / noted.FOLDER, in_order(self.stored().backups(), self._beside()))

    def _told(self, note: Note) -> None:
        try:
            self.write_down()
        except StackError as error:
            note(f"metrics of backups stay as they were: {error}")

    def adopt(self, cluster: str) -> None:
        """Only where a person names it: that `cluster` has sent nothing lately does not say that it is no more."""
        with _failing():
            known = self.stored().present()
        if known is None or known[0] != cluster:
            said = f"it takes that of {known[0]}" if known else "it takes none yet"
            raise UsageError(
                f"{self._tool.where} does not take the WAL of cluster {cluster}: {said}",
                hint="stackctl backup names the one that is in the way",
            )
        with _failing():
            self.make_ready(adopt=True)

    def make_ready(self, *, adopt: bool = False) -> None:
        """Let the repository know the running cluster, so that its WAL can be archived. Raises StackError.

        Where it is to `adopt` the place of another one, the repository takes no WAL of that any more.
        """
        make_ready(self._tool, self.stored(), adopt=adopt)

    def take(self, kind: Kind, note: Note, *, gently: bool) -> Backup:
        """Take a backup beside the running server, and read it back; it has no pace but its low priority."""
        self._ready_for(kind)
        note(f"copying to {self._tool.where}")
        try:
            with counted(self._tool, note), marked(self._folder):
                said = self._tool.beside("backup", f"--type={_TYPES[kind]}", "--log-level-console=info")
        except Locked:
            raise
        except StackError as error:
            raise BackupFailed(str(error), hint=f"{error.hint}; earlier backups are as they were") from error
        match = _LABEL.search(said)
        taken = self.stored().backups()
        mine = [each for each in taken if match is None or each.id == match[1]][-1:]
        if not mine:
            raise BackupFailed(f"{self._tool.where} does not list what was taken", hint="stackctl backup list")
        note("verifying the copy")
        if found := self.verify(mine, everything=False, note=note):
            raise BackupFailed(f"{found[0].what}: {found[0].reason}", hint="take it again; see the disk or the store")
        done = next(each for each in self.stored().backups() if each.id == mine[0].id)
        if done.status is not Status.OK:
            raise BackupFailed(
                f"{done.id} holds damaged pages of the running database: {damaged_pages(said)}",
                hint="it is listed as damaged and older backups stay; restore one, or repair the tables",
            )
        return done

    def _ready_for(self, kind: Kind) -> None:
        with _failing():
            self.make_ready()
            backups = list(self.stored().backups())
            # It builds on the newest one, whatever we know of that.
            if kind is Kind.INCREMENTAL and (not backups or backups[-1:] != restorable(backups)[-1:]):
                why = f"{backups[-1].id} is not good to build on" if backups else "there is no good backup to build on"
                raise NothingToBuildOn(why, hint="stackctl backup takes a full one")

    def verify(self, chosen: Sequence[Backup], *, everything: bool, note: Note) -> list[Finding]:
        """Let pgBackRest read the backups with the WAL that they need, and note in the repository what it found."""
        with self._tool.programs() as programs:
            looked = read(self._tool, programs, chosen, everything=everything)
            for identifier, marks in to_note(chosen, looked, self._clock()).items():
                # It cannot be noted of what is not there any more; the finding stands all the same.
                with suppress(*([StackError] if looked.found else [])):
                    self._annotate(programs, identifier, marks)
        return list(looked.found)

    def verify_wal(self, note: Note) -> list[Finding]:
        """pgBackRest reads WAL and backups in one go."""
        backups = self.stored().backups()
        with self._tool.programs() as programs:
            found = read(self._tool, programs, backups, everything=True).found
        return [each for each in found if each.what not in {backup.id for backup in backups}]

    def record(self, backup: Backup) -> None:
        """As annotations in the repository, so that every machine sees it."""
        with self._tool.programs() as programs:
            self._annotate(programs, backup.id, notes(backup))

    def _annotate(self, programs: Programs, identifier: str, marks: Mapping[str, str]) -> None:
        words = [f"--annotation={key}={value}" for key, value in marks.items()]
        self._tool.work(programs, "annotate", f"--set={identifier}", *words)

    def expire(
        self,
        gone: Sequence[Backup],
        kept: Sequence[Backup],
        *,
        wal: bool,
        cluster: str | None = None,
    ) -> None:
        """Delete backups one by one; then WAL, by its own rule for the full backups that are left."""
        expire(self._tool, gone, wal=wal and bool(kept))

    def workplace(self) -> Path:
        """In the project's own folder, wherever the repository is."""
        return self._folder

    @contextmanager
    def workshop(self, memory: Bytes | None, note: Note) -> Iterator[Workshop]:
        """Containers, with the repository in reach of those alone that fetch from it."""
        with self._tool.engine.programs() as programs, near(self._folder, programs) as folder:
            alone = programs if memory is None else programs.gentle(memory)
            reaching, compare = alone.with_repository(), memory is not None
            yield ContainerWorkshop(alone, reaching, self._tool, folder, note, compare=compare)

    def last_commit(self, stored: Stored, chosen: Candidate, goal: Target, note: Note) -> datetime | None:
        """As WAL says that is fetched for it, where that can be read."""
        last = last_archived(self._tool, self._folder, stored, chosen, note)
        if chosen.window is not None:
            refuse_later(goal, chosen.window, last)
        return last

    def points(self, stored: Stored, note: Note) -> Points:
        """As WAL says that is fetched for it, as far as that goes."""
        return searching(self._tool, self._folder, stored, note, self._seen)

    @contextmanager
    def restoring(
        self, chosen: Candidate, goal: Target, into: Path, inspect: Callable[[Throwaway], None], note: Note
    ) -> Iterator[Restoration]:
        """Restore near `into`."""
        with self._tool.engine.programs() as programs, near(landing(into), programs, self._folder) as folder:
            shop = ContainerWorkshop(programs, programs.with_repository(), self._tool, folder, note, compare=False)
            data = shop.build(chosen.backup)
            how = Replay(chosen.window.timeline if chosen.window else None, inspect=inspect)
            restored = shop.replay(chosen.backup, data, goal, how)
            refuse_early(chosen, goal, restored.reached)
            note("checking every page")
            check_pages(programs, data)
            yield Restoration(chosen, restored)


@contextmanager
def _failing() -> Iterator[None]:
    """What is wrong before a backup makes it fail."""
    try:
        yield
    except (Locked, BackupFailed):
        raise
    except StackError as error:
        raise BackupFailed(str(error), hint=f"{error.hint}; earlier backups are as they were") from error
