"""What RESTORE.txt says, followed to the letter with what a receiver may leave."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from stackctl.backup.guide import guide

SYSTEM = "42"
SEGMENT_SIZE = 16 * 2**20


def segment(content: bytes) -> bytes:
    return content.ljust(SEGMENT_SIZE, b"\0")


TAIL = {
    "00000001.000001/000000010000000000000004": segment(b"whole"),
    "00000001.000002/000000010000000000000004.partial": segment(b"who"),
    "00000001.000001/000000010000000000000005.partial": segment(b"longer"),
    "00000001.000002/000000010000000000000005.partial": segment(b"lon"),
    "00000001.000001/000000010000000000000006.partial": segment(b"lon"),
    "00000001.000002/000000010000000000000006.partial": segment(b"longer"),
    "00000001.000002/000000010000000000000007.partial": bytes(8192),
    "00000001.000002/00000002.history": b"1\t0/3000158\tno recovery target specified\n",
    "00000001.000002/00000003.history.tmp": b"1\t0/30",
}


def test_the_commands_for_the_tail_take_the_most_of_each_segment(tmp_path: Path) -> None:
    for name, content in TAIL.items():
        path = tmp_path / "tail" / SYSTEM / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    wal = tmp_path / "copy" / "pg_wal"
    wal.mkdir(parents=True)
    (script,) = re.findall(r"(?m)^       for one.*?^       chown .*?$", guide("000001", 18, SYSTEM), re.DOTALL)
    said = script.replace("THE-COPY", str(tmp_path / "copy"))
    subprocess.run(["sh", "-c", said], cwd=tmp_path, check=True)
    assert {path.name: path.read_bytes() for path in wal.iterdir()} == {
        "000000010000000000000004": segment(b"whole"),
        "000000010000000000000005": segment(b"longer"),
        "000000010000000000000006": segment(b"longer"),
        "00000002.history": TAIL["00000001.000002/00000002.history"],
    }
