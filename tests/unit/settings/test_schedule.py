"""Cron expressions: their times, and the same times for systemd."""

import shutil
import subprocess
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from stackctl.settings.schedule import Job, check_expression, jobs

# Worked by hand; 2026-03-01 is a Sunday.
CALENDAR = {
    "15 2 * * *": ("*-*-* 02:15:00",),
    "*/20 * * * *": ("*-*-* *:00,20,40:00",),
    "0 3-5 * * 7": ("Sun *-*-* 03,04,05:00:00",),
    "0 3 * * 0": ("Sun *-*-* 03:00:00",),
    "30 1 1 */6 *": ("*-01,07-01 01:30:00",),
    "0 5 * feb mon-wed": ("Mon,Tue,Wed *-02-* 05:00:00",),
    # cron runs it on the first, and on every Friday too.
    "0 5 1 * 5": ("*-*-01 05:00:00", "Fri *-*-* 05:00:00"),
    # Each weekday by its number is no star: either will do, which is every day.
    "0 2 1 * 0-6": ("*-*-* 02:00:00",),
    # With a star in front, both must be right.
    "0 5 */10 * 5": ("Fri *-*-01,11,21,31 05:00:00",),
}


@pytest.mark.parametrize(("expression", "lines"), CALENDAR.items())
def test_what_systemd_is_told(expression, lines):
    assert Job("full", expression).on_calendar() == lines


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("expression", CALENDAR)
def test_systemd_reads_the_same_times(expression):
    moment = datetime(2026, 2, 26, 12, tzinfo=UTC)
    job, ours = Job("full", expression), set()
    while len(ours) < 6:
        ours.add(moment := job.next_after(moment))
    said = set()
    for line in job.on_calendar():
        words = ["systemd-analyze", "calendar", "--base-time=2026-02-26 12:00:00 UTC", "--iterations=6", f"{line} UTC"]
        told = subprocess.run(
            words, capture_output=True, text=True, check=True, env={"TZ": "UTC", "LC_ALL": "C"}
        ).stdout
        found = [entry.split(": ", 1)[1] for entry in told.splitlines() if "elapse:" in entry or "Iter. #" in entry]
        said |= {datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC) for text in found}
    assert sorted(said)[:6] == sorted(ours)


def test_the_time_before_and_the_time_after():
    job = Job("full", "15 2 * * 0")
    sunday = datetime(2026, 3, 1, 2, 15, tzinfo=UTC)
    assert job.next_after(datetime(2026, 2, 28, 23, tzinfo=UTC)) == sunday
    assert job.last_before(datetime(2026, 3, 7, 23, tzinfo=UTC)) == sunday
    assert job.next_after(sunday) == datetime(2026, 3, 8, 2, 15, tzinfo=UTC)


def test_a_night_without_half_past_two():
    # The clocks of Berlin go from 2:00 to 3:00 on 2026-03-29; Debian's cron makes up for what falls between.
    berlin = ZoneInfo("Europe/Berlin")
    moment = datetime(2026, 3, 28, 12, tzinfo=berlin)
    assert Job("full", "30 2 * * *").next_after(moment) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_the_order_of_what_is_due_at_once():
    given = {"drill": "0 1 * * *", "expire": "0 1 * * *", "full": "0 1 * * *"}
    assert [job.name for job in jobs(given)] == ["full", "expire", "drill"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("* * * *", "number of fields"),
        ("0 0 2 * * *", "number of fields"),
        ("60 2 * * *", "bad minute"),
        ("0 2 * * tuesday", "bad day-of-week"),
        ("0 2 L * *", "not understood by cron"),
        ("0 2 * * 5#2", "not understood by cron"),
        ("@daily", "number of fields"),
        ("0 2 31 2 *", "bad day-of-month"),
        # Debian's cron takes it as 2 alone.
        ("0 2/6 * * *", "behind a star or a range"),
        ("0 0 * * MON/2", "behind a star or a range"),
    ],
)
def test_what_is_no_expression(text, reason):
    with pytest.raises(ValueError, match=reason):
        check_expression(text)


def test_blanks_are_made_one():
    assert check_expression(" 15  2 * *\t* ") == "15 2 * * *"
