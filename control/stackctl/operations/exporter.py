"""`stackctl exporter`: what the control plane knows, for Prometheus."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime
from typing import NoReturn

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from stackctl.backup.metrics import Archiver, Seen, Stored, families
from stackctl.engine.base import Note
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed, StackError, UsageError
from stackctl.hardware.detect import free_disk
from stackctl.health.probes import asked_archiver
from stackctl.operations.archives import Held, held_archives
from stackctl.operations.backup import Opened, open_backups
from stackctl.operations.backups.schedule import late, machine_zone
from stackctl.operations.result import Request
from stackctl.settings.schedule import jobs

_EVERY_SECONDS = 60.0


class Looks(Collector):
    """The metrics of the last look. A scrape costs nothing but their text: looking has its own time."""

    def __init__(self, request: Request, runner: Runner) -> None:
        self._request = request
        self._runner = runner
        self._found: list[GaugeMetricFamily] = []
        self._looked = self._took = 0.0
        self._right = False

    def look(self) -> str:
        """Look once; what went wrong, empty where nothing did. What the last good look found stays until the next."""
        began = time.monotonic()
        try:
            self._found = list(families(seen(open_backups(self._request, self._runner))))
            self._looked, self._right = time.time(), True
        except (StackError, OSError) as error:
            self._right = False
            return str(error)
        finally:
            self._took = time.monotonic() - began
        return ""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The metrics, and how the looking goes."""
        yield from self._found
        yield GaugeMetricFamily("stackctl_look_success", "Whether the last look at the project went well", self._right)
        yield GaugeMetricFamily("stackctl_look_duration_seconds", "How long the last look took", self._took)
        if self._looked:
            yield GaugeMetricFamily("stackctl_look_timestamp_seconds", "When a look last went well", self._looked)


def print_command(request: Request, runner: Runner) -> str:
    """The metrics once, in Prometheus's text format. Raises StackError where they cannot be had."""
    looks = Looks(request, runner)
    if wrong := looks.look():
        raise EngineFailed(wrong, hint="stackctl backup status says more")
    return generate_latest(_registry(looks)).decode()


def serve_command(request: Request, runner: Runner, note: Note, listen: str) -> NoReturn:
    """Serve them on `listen`, HOST:PORT, until ended by a signal. Raises UsageError, EngineFailed for a taken port."""
    host, port = address(listen)
    looks = Looks(request, runner)
    told = looks.look()
    try:
        start_http_server(port, host, _registry(looks))
    except OSError as error:
        raise EngineFailed(f"{listen}: {error.strerror}", hint="give another place: --listen HOST:PORT") from error
    note(f"metrics on http://{listen}/metrics" + (f"; nothing yet: {told}" if told else ""))
    while True:
        time.sleep(_EVERY_SECONDS)
        wrong = looks.look()
        if wrong != told:
            note(wrong or "all is seen again")
        told = wrong


def address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`. Raises UsageError."""
    match = re.fullmatch(r"(?P<host>[^:\s]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})", text)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise UsageError(f"{text!r} is no place to listen", hint="write HOST:PORT, such as 127.0.0.1:9188")
    return match["host"].strip("[]"), int(match["port"])


def seen(opened: Opened) -> Seen:
    """One look at the repository and the archiver. Where the server answers, only its own cluster's backups count."""
    (use, _), backups = asked_archiver(opened.engine), opened.repository.backups()
    archives: list[Held] = []
    if use is not None:
        backups = [each for each in backups if each.system == use.system]
        archives = [held for held in held_archives(opened.repository, use) if held.system == use.system]
    now, scheduled = datetime.now(machine_zone()), jobs(opened.settings.schedule)
    overdue = late(scheduled, backups, now)
    return Seen(
        backups,
        _stored(archives[0]) if archives else None,
        Archiver(use.waiting, use.failing, use.seconds) if use else None,
        free_disk(opened.repository.root),
        {job.name: job in overdue for job in scheduled if job.name != "expire"},
    )


def _stored(held: Held) -> Stored:
    files = held.archive.files()
    size = sum(file.path.stat().st_blocks * 512 for file in files)
    return Stored(len(files), size, len(held.gaps), len(held.gaps) - len(held.unhealed))


def _registry(looks: Looks) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(looks)
    return registry
