"""The metrics of backups, as they are served beside a running stack."""

from __future__ import annotations

import signal
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from running_stack import Stack, eventually, free_ports

pytestmark = pytest.mark.parametrize("engine", ["embedded"], indirect=True)


def samples(text: str) -> dict[tuple[str, ...], float]:
    read = text_string_to_metric_families(text)
    return {(each.name, *each.labels.values()): each.value for family in read for each in family.samples}


def test_they_say_what_the_records_say(stack: Stack, place: Path) -> None:
    before = samples(stack.run("exporter", "--once").out)
    assert before["stackctl_backups", "full", "ok"] == 0
    assert ("stackctl_backup_timestamp_seconds", "full") not in before
    taken = stack.run("backup", "--json").data
    found = samples(stack.run("exporter", "--once").out)
    assert found["stackctl_backups", "full", "ok"] == 1
    finished = datetime.fromisoformat(taken["finished_at"]).timestamp()
    assert found["stackctl_backup_timestamp_seconds", "full"] == finished
    assert found["stackctl_backup_size_bytes", "full"] == taken["bytes"]
    assert found["stackctl_archive_failing",] == 0


def test_they_are_served_until_a_signal_comes(stack: Stack) -> None:
    (port,) = free_ports(1)

    def read() -> dict[tuple[str, ...], float]:
        return samples(httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text)

    def known() -> bool:
        found = read()
        return found.get(("stackctl_look_success",)) == 1 and ("stackctl_archive_waiting_files",) in found

    with stack.start("exporter", "--listen", f"127.0.0.1:{port}") as running:
        try:
            eventually(known, 60, "the repository was read and the server asked")
            assert read()["stackctl_repository_success",] == 1
            second = stack.run("exporter", "--listen", f"127.0.0.1:{port}")
            assert (second.code, "Address already in use" in second.err) == (20, True), second.said
            running.send_signal(signal.SIGTERM)
            assert running.wait(timeout=30) == 130
        finally:
            running.kill()
