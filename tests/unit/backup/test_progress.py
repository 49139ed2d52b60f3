"""What is said of long work."""

import time

from stackctl.backup.progress import Progress, growing
from stackctl.units import MIB


def test_a_line_every_ten_seconds_with_rate_and_estimate():
    said, now = [], [0.0]
    progress = Progress(said.append, 400 * MIB, lambda: now[0])
    for seconds in (5.0, 9.9, 10.0, 15.0, 20.0):
        now[0] = seconds
        progress.told(20 * MIB)
    # 60 MiB in 10 s leave 340 MiB for 56.7 s; 100 MiB in 20 s leave 300 MiB for 60 s.
    assert said == [
        "15 % of 400 MiB: 60 MiB, 6 MiB/s, about 57 s left",
        "25 % of 400 MiB: 100 MiB, 5 MiB/s, about 60 s left",
    ]


def test_what_is_there_in_the_end_may_be_more_than_expected_or_unknown():
    said, now = [], [0.0]
    for total in (0, 10 * MIB):
        progress = Progress(said.append, total, lambda: now[0])
        now[0] += 10
        progress.told(20 * MIB)
    assert said == ["20 MiB, 2 MiB/s"] * 2


def test_a_folder_that_others_write_to_is_looked_at_as_long_as_that_lasts(tmp_path, monkeypatch):
    monkeypatch.setattr("stackctl.backup.progress._EVERY_SECONDS", 0.0)
    said = []
    with growing(tmp_path / "copy", said.append, 4 * MIB, every=0.01):
        (tmp_path / "copy" / "base").mkdir(parents=True)
        (tmp_path / "copy" / "base" / "1").write_bytes(bytes(MIB))
        deadline = time.monotonic() + 60
        while not any("25 % of 4 MiB: 1 MiB" in line for line in said) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert any("25 % of 4 MiB: 1 MiB" in line for line in said)
    after = len(said)
    time.sleep(0.1)
    assert len(said) == after
