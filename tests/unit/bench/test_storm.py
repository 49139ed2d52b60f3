"""What clients of a storm say to the server that they come to."""

from __future__ import annotations

import os
import random
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.bench.storm import Storm


@pytest.fixture
def folder() -> Iterator[Path]:
    """One with a name that is short enough for a socket."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def test_what_the_operator_set_for_libpq_is_none_of_the_storms(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By PGHOSTADDR its clients would come to another server, and by PGOPTIONS with settings that no other work has."""
    variables = {"PGHOSTADDR": "127.0.0.1", "PGSERVICE": "elsewhere", "PGOPTIONS": "-c work_mem=1MB"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / ".s.PGSQL.5432"))
        door.listen()
        listener = threading.Thread(target=_listen, args=(door, said), daemon=True)
        listener.start()
        storm = Storm(f"host={folder} port=5432 user=client dbname=bench", "SELECT 1", 1, 0, 1, random.Random(1))
        found = storm.blow(0.3)
        door.shutdown(socket.SHUT_RDWR)
        listener.join()
    assert found.failed > 0
    assert said, "it came to this door"
    assert b"user\0client\0" in said[0]
    assert b"work_mem" not in said[0]
    assert {name: os.environ[name] for name in variables} == variables


def _listen(door: socket.socket, said: list[bytes]) -> None:
    """Hear what each client says first, and hang up."""
    while True:
        try:
            client, _ = door.accept()
        except OSError:
            return
        with client:
            said.append(client.recv(4096))
