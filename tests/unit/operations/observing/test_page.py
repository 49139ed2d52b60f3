"""The page for Prometheus, as clients of all kinds meet it."""

import socket
import threading
import time
from contextlib import contextmanager, suppress

import httpx

from stackctl.operations.observing import page as module
from stackctl.operations.observing.page import Page


@contextmanager
def serving(well=lambda: True):
    page = Page(("127.0.0.1", 0), lambda: b"stackctl_up 1\n", well)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{page.server_address[1]}", page.server_address
    finally:
        page.shutdown()
        page.server_close()


def test_the_metrics_the_health_and_nothing_else():
    with serving() as (url, _):
        metrics = httpx.get(f"{url}/metrics?x=y")
        assert (metrics.status_code, metrics.text) == (200, "stackctl_up 1\n")
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "Python" not in metrics.headers["server"]
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert httpx.get(f"{url}/../../etc/passwd").status_code == 404
        assert httpx.post(f"{url}/metrics").status_code == 501
    with serving(lambda: False) as (url, _):
        assert httpx.get(f"{url}/healthz").status_code == 503


def test_clients_that_say_nothing_keep_nobody_out(monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", 0.5)
    with serving() as (url, address):
        silent = [socket.create_connection(address) for _ in range(20)]
        before = threading.active_count()
        assert before < 40
        deadline = time.monotonic() + 10
        while True:
            try:
                assert httpx.get(f"{url}/metrics", timeout=5).status_code == 200
                break
            except httpx.TransportError:
                # Turned away until the silent ones were cut off.
                assert time.monotonic() < deadline
                time.sleep(0.05)
        for each in silent:
            each.close()


def test_a_client_that_drips_is_cut_off(monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", 0.5)
    with serving() as (_, address), socket.create_connection(address) as client:
        began = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - began < 10:
                client.sendall(b"G")
                time.sleep(0.05)
        assert time.monotonic() - began < 5
