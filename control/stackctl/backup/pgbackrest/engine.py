"""The backup engine pgBackRest, behind the protocol that the native one has too."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from stackctl.backup.inspection import check_pages
from stackctl.backup.model import Backup, Kind, Status, spelled
from stackctl.backup.moving import landing
from stackctl.backup.named_point import nobody_knows
from stackctl.backup.noted import note_backups
from stackctl.backup.pgbackrest.catalogue import Looked, look
from stackctl.backup.pgbackrest.copies import near
from stackctl.backup.pgbackrest.expire import expire
from stackctl.backup.pgbackrest.faults import damaged_pages
from stackctl.backup.pgbackrest.info import DAMAGED, SUMS, VERIFIED, notes, spelled_sums
from stackctl.backup.pgbackrest.left import marked, tidy
from stackctl.backup.pgbackrest.progress import counted
from stackctl.backup.pgbackrest.reading import in_need, read_back, read_everything
from stackctl.backup.pgbackrest.stored import StanzaStored
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.pgbackrest.workshop import ContainerWorkshop
from stackctl.backup.protocol import AWAY, Restoration, Workshop
from stackctl.backup.restore import Replay
from stackctl.backup.restore_plan import Candidate, refuse_early
from stackctl.backup.retention import restorable
from stackctl.backup.target import Target
from stackctl.backup.verify import Finding
from stackctl.engine import noted
from stackctl.engine.base import Note, Programs, Throwaway
from stackctl.errors import BackupFailed, EngineFailed, Locked, NothingToBuildOn, StackError, UsageError
from stackctl.units import Bytes

_LABEL = re.compile(r"new backup label = (\S+)")
# A cluster's identifier begins with the second in which it was made; one that was restored is older than what was
# archived in its place meanwhile.
_CLUSTER = """
SELECT system_identifier::text AS system, (current_setting('server_version_num')::int / 10000)::text AS postgres,
       CASE WHEN timeline_id = 1 THEN system_identifier >> 32
            ELSE extract(epoch FROM pg_postmaster_start_time())::bigint END AS since
FROM pg_control_system(), pg_control_checkpoint()
"""
_TRIES, _PAUSE = 8, 2.0
_TYPES = {Kind.FULL: "full", Kind.INCREMENTAL: "incr"}

Clock = Callable[[], datetime]
Lock = Callable[[str, bool, Callable[[], None]], AbstractContextManager[None]]


class PgBackRestEngine:
    """Backups of one stanza.

    `lock` is called with what is at work, whether beside others that only read, and what to do first where nobody else
    is at work; pgBackRest has locks of its own. Drills make their copies in `folder`.
    """

    name = "pgbackrest"
    points = staticmethod(nobody_knows)

    def __init__(self, tool: Tool, folder: Path, clock: Clock, lock: Lock) -> None:
        self._tool = tool
        self._folder = folder
        self._clock = clock
        self._lock = lock

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
        note_backups(self._folder / noted.FOLDER, self.stored().backups())

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

        Another cluster than the last one, as after its volume was lost, gets an archive of its own beside the old one,
        where we are to `adopt` that: from then on, the repository takes no WAL of the old one.
        """
        (running,) = self._tool.engine.query(_CLUSTER)
        stored = self.stored()
        known = stored.present()
        if known == (running["system"], running["postgres"]):
            # What follows wants all locks, and would find that of WAL on its way.
            return
        if known and known[0] != running["system"]:
            self._refuse_other(stored, known[0], running["since"], adopt=adopt)
        self._introduce("stanza-upgrade" if known else "stanza-create")
        # What failed before it was known is else tried again after a minute, which is as long as a backup waits for it.
        self._tool.engine.reload()

    def _refuse_other(self, stored: StanzaStored, other: str, since: int, *, adopt: bool) -> None:
        """`since` is when the running one was made, or where it was restored, started: seconds of Unix."""
        where = f"{self._tool.where} takes the WAL of cluster {other}"
        last = stored.archive(other).latest()
        if last is not None and last > since:
            raise EngineFailed(
                f"{where}, and got some since this one was made: another server archives there",
                hint="give this project a backup.repository of its own",
                code=AWAY,
            )
        if not adopt:
            raise EngineFailed(
                f"{where}, which is not this one",
                hint=f"stackctl restore --cluster {other} brings it back; "
                f"if it is no more, stackctl backup --adopt {other} begins anew beside its backups",
                code=AWAY,
            )

    def _introduce(self, command: str) -> None:
        """Try again while what sends WAL holds its lock: without a known cluster, it fails soon."""
        for _ in range(_TRIES - 1):
            try:
                self._tool.beside(command, quick=True)
            except Locked:
                time.sleep(_PAUSE)
            else:
                return
        self._tool.beside(command, quick=True)

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
            looked = self._read(programs, chosen, everything=everything)
            found = list(looked.found)
            bad = {finding.what for finding in found}
            for backup in chosen:
                # What only a drill can find is not healed by bytes that are as they were written.
                damaged = backup.id in bad or backup.drill_failed
                marks = {VERIFIED: spelled(self._clock()), DAMAGED: "yes" if damaged else ""}
                marks[SUMS] = spelled_sums(looked.sums[backup.id])
                # It cannot be noted of what is not there any more; the finding stands all the same.
                with suppress(*([StackError] if bad else [])):
                    self._annotate(programs, backup.id, marks)
        return found

    def verify_wal(self, note: Note) -> list[Finding]:
        """pgBackRest reads WAL and backups in one go."""
        backups = self.stored().backups()
        with self._tool.programs() as programs:
            found = self._read(programs, backups, everything=True).found
        return [each for each in found if each.what not in {backup.id for backup in backups}]

    def _read(self, programs: Programs, chosen: Sequence[Backup], *, everything: bool) -> Looked:
        """Read what pgBackRest reads, then what it passes over; say of each chosen backup what it lacks by that."""
        # Its own list, as WAL comes and goes.
        stored = self.stored()
        if everything:
            found = read_everything(self._tool, programs, stored)
        else:
            found = [each for backup in chosen for each in read_back(self._tool, programs, backup)]
        looked = look(self._tool, programs, stored.files(), chosen, everything=everything)
        found += looked.found
        for backup in chosen:
            there = frozenset(segment.name for segment in stored.archive(backup.system).segments())
            found += in_need(backup, found, there)
        return Looked(list(dict.fromkeys(found)), looked.sums)

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

    def last_commit(self, chosen: Candidate, goal: Target) -> None:
        """Nobody knows: the WAL is away, and was not looked at."""

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
