"""`stackctl exporter`: what the control plane knows, for Prometheus; by hand, and as the stack's service."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as Registered

from stackctl.backup.noted import noted_backups
from stackctl.engine import noted
from stackctl.engine.base import Engine, Note
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed, NoEngine, UsageError
from stackctl.operations.backup import Opened, open_backups
from stackctl.operations.backup_section import with_backups
from stackctl.operations.engines import recorded_engine
from stackctl.operations.observing.backups import Archive
from stackctl.operations.observing.collectors import SERVER, Collector, of_disk, of_rendered, of_server
from stackctl.operations.observing.expected import read_expected
from stackctl.operations.observing.families import gauge
from stackctl.operations.observing.lane import Lane, states
from stackctl.operations.observing.page import Page
from stackctl.operations.project import open_recorded
from stackctl.operations.result import Request

_BACKUPS, _NOTED = "backups", "noted"
# A look at the records of a hundred backups takes milliseconds, one at a month of WAL a second.
_BACKUPS_SECONDS = 60.0
# Of what is known already, and so as often as Prometheus asks.
_JOBS_SECONDS = 15.0
# Four looks. Who hangs with the last answer in hand must not go on saying that the server is up: an alert believes it.
_UP_SECONDS = 60.0
# Of the statements none may take longer than 10 s, and in each turn a server that hangs is waited for once.
_SILENT_SECONDS = 180.0
_UNSEEN = "the backups are pgBackRest's, which this service has no way to: it goes by what stackctl wrote down of them"


class Known(Registered):
    """The metrics of the last looks. A scrape costs nothing but their text: looking has its own time."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes

    def collect(self) -> Iterator[Metric]:
        """The metrics, each family once, and how the looking goes."""
        found: dict[str, Metric] = {}
        for family in (family for lane in self._lanes for family in lane.families()):
            if family.name in found:
                found[family.name].samples = [*found[family.name].samples, *family.samples]
            else:
                found[family.name] = _copy(family)
        yield from found.values()
        for lane in self._lanes:
            yield from _told(lane)
        yield from states(self._lanes)


def _told(lane: Lane) -> Iterator[Metric]:
    """What alerts wait for, by names of their own."""
    if SERVER in lane.results and lane.age(SERVER) <= _UP_SECONDS:
        yield gauge("up", "Whether the server answers the role monitor", not lane.results[SERVER].wrong)
    if _BACKUPS not in lane.results:
        return
    look, well = lane.results[_BACKUPS], lane.success(_BACKUPS)
    if well is not None:
        words = "Whether the repository could be read when it was last looked at"
        yield gauge("repository_success", words, well)
        yield gauge("look_success", "Whether the last look at the project went well", well)
    if look.looked:
        yield gauge("look_duration_seconds", "How long the last look at the backups took", look.took)
    if look.at:
        yield gauge("look_timestamp_seconds", "When a look at the backups last went well", look.at)


def print_command(request: Request, runner: Runner, note: Note) -> str:
    """The metrics once, in Prometheus's text format. Raises EngineFailed where neither server nor backups are seen."""
    lanes = _lanes(request, runner, note)
    for lane in lanes:
        lane.turn()
    wrong = [lane.results[name].wrong for lane in lanes for name in (_BACKUPS, SERVER) if name in lane.results]
    if all(wrong):
        raise EngineFailed(wrong[-1], hint="stackctl backup status says more")
    return _text(lanes).decode()


def serve_command(request: Request, runner: Runner, note: Note, listen: str) -> NoReturn:
    """Serve them on `listen`, HOST:PORT, until ended by a signal. Raises UsageError, EngineFailed for a taken port."""
    where = address(listen)
    lanes = _lanes(request, runner, note)
    first = lanes[0]
    try:
        page = Page(where, lambda: _text(lanes), lambda: first.silence < _SILENT_SECONDS)
    except OSError as error:
        raise EngineFailed(f"{listen}: {error.strerror}", hint="give another place: --listen HOST:PORT") from error
    note(f"metrics on http://{listen}/metrics")
    # A signal ends what the main thread waits for, which is what may take long: the repository, where it is seen.
    *others, last = sorted(lanes, key=lambda lane: bool({_BACKUPS, _NOTED} & set(lane.results)))
    threading.Thread(target=page.serve_forever, daemon=True).start()
    for lane in others:
        threading.Thread(target=lane.run, daemon=True).start()
    last.run()


def address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`. Raises UsageError."""
    match = re.fullmatch(r"(?P<host>[^:\s]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})", text)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise UsageError(f"{text!r} is no place to listen", hint="write HOST:PORT, such as 127.0.0.1:9188")
    return match["host"].strip("[]"), int(match["port"])


def _lanes(request: Request, runner: Runner, note: Note) -> Sequence[Lane]:
    """One for the server, one for the repository, one for what becomes of that, and one for the data's disk.

    Repository and disk may hang or be away, and nothing ends the call that asks for their room.
    """
    recorded = open_recorded(request)
    engine = recorded_engine(recorded, runner)
    watch, expected = engine.watch(), partial(read_expected, recorded.project.rendered)
    archive = Archive(watch)
    server = [
        *of_server(watch, expected),
        Collector("archiver", 15.0, archive.collect, lasting=False),
        of_rendered(expected),
    ]
    disk = Lane((of_disk("data", engine.data_place),), note)
    late = Collector("jobs", _JOBS_SECONDS, archive.late, asks=False)
    if not _seen(engine):
        note(_UNSEEN)

        def known() -> Iterator[Metric]:
            _, settings = with_backups(open_recorded(request))
            return archive.noted(settings, noted_backups(noted.INSIDE))

        return (Lane((*server, Collector(_NOTED, _BACKUPS_SECONDS, known, asks=False), late), note), disk)

    def opened() -> Opened:
        # Each time, as the project's file may change, and be wrong for a while.
        return open_backups(request, runner)

    def folder() -> Path:
        found = opened().backups.stored().folder
        if found is None:
            raise NoEngine("the backups are on no disk of this machine", hint="nothing is wrong with that")
        return found

    looks = Collector(_BACKUPS, _BACKUPS_SECONDS, lambda: archive.backups(opened), asks=False)
    disks = () if recorded.project.away else (of_disk("repository", folder),)
    return Lane(server, note), Lane((looks, *disks), note), Lane((late,), note), disk


def _seen(engine: Engine) -> bool:
    """Whether there is a way to the repository: its container has none to one of pgBackRest."""
    try:
        engine.repository()
    except NoEngine:
        return False
    return True


def _text(lanes: Sequence[Lane]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Known(lanes))
    return generate_latest(registry)


def _copy(family: Metric) -> Metric:
    same = Metric(family.name, family.documentation, family.type)
    same.samples = list(family.samples)
    return same
