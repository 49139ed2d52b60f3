"""Serves the workers' metrics from the gunicorn master, on a port of its own.

The master is the one process that outlives every worker, so the numbers can be read when all workers
are busy or dead, and it is the one that learns of each worker's end. Its thread takes no lock that a
forked worker uses.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Metric, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

# Not a number, so that it is never taken for a worker.
DEPARTED = "departed"
ATTEMPTS = 5
PATIENCE_SECONDS = 5.0
# Connections at the same time: a few Prometheus servers and a person.
LARGEST_CROWD = 16


class Exposition(Collector):
    """The metric files of all workers, living and departed, as one set of metrics."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._server: WSGIServer | None = None
        directory.mkdir(parents=True, exist_ok=True)
        # What an earlier run left would be added to this run's numbers.
        for file in directory.glob("*.db"):
            file.unlink()

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of all workers together."""
        with self._lock:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    collected = MultiProcessCollector(None, str(self._directory)).collect()  # type: ignore[no-untyped-call]
                    return list(collected)
                except (struct.error, RuntimeError):
                    # A worker is just making or growing its file.
                    if attempt == ATTEMPTS:
                        raise
        return []

    def serve(self, address: str, port: int) -> None:
        """Listen; raises OSError when the port is taken."""
        registry = CollectorRegistry()
        registry.register(self)
        self._server = make_server(address, port, make_wsgi_app(registry), _Server, _Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def forget(self) -> None:
        """Close the listening socket that a forked worker has inherited."""
        if self._server is not None:
            self._server.socket.close()

    def absorb(self, pid: int) -> None:
        """Add a departed worker's counts to a common file and remove its own.

        Otherwise each reload leaves files behind until the directory, a small tmpfs, is full.
        """
        with self._lock:
            mark_process_dead(pid, str(self._directory))  # type: ignore[no-untyped-call]
            for kind in ("counter", "histogram"):
                file = self._directory / f"{kind}_{pid}.db"
                if file.exists():
                    try:
                        _add(file, self._directory / f"{kind}_{DEPARTED}.db")
                    finally:
                        file.unlink()


class _Handler(WSGIRequestHandler):
    """One connection; one that asks nothing is closed."""

    timeout = PATIENCE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


class _Server(ThreadingWSGIServer):
    """A thread for each connection, but few: otherwise idle ones could use up what the workers' threads need."""

    def __init__(self, *args: Any) -> None:
        self._free = threading.Semaphore(LARGEST_CROWD)
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()


def _add(source: Path, target: Path) -> None:
    values = list(MmapedDict.read_all_values_from_file(str(source)))  # type: ignore[no-untyped-call]
    total = MmapedDict(str(target))  # type: ignore[no-untyped-call]
    for key, value, _timestamp, _position in values:
        before, _ = total.read_value(key)  # type: ignore[no-untyped-call]
        total.write_value(key, before + value, 0.0)  # type: ignore[no-untyped-call]
    total.close()  # type: ignore[no-untyped-call]
