"""Units of systemd and lines of a crontab."""

import shutil
import subprocess
import sys

import pytest

from stackctl.render.timers import crontab, units
from stackctl.settings.schedule import Job

JOBS = [Job("full", "15 2 * * 0"), Job("expire", "30 3 1 * 5")]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("folder", ["/srv/shop", '/srv/a b 5% $HOME \\ "quoted" ü'])
def test_systemd_finds_nothing_wrong(tmp_path, folder):
    for name, text in units("shop", "root", [sys.executable, "-m", "stackctl", "--project", folder], JOBS).items():
        (tmp_path / name).write_text(text)
    files = sorted(str(path) for path in tmp_path.iterdir())
    assert len(files) == 4
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_runs_and_when():
    found = units("shop", "ada", ["/opt/py", "-m", "stackctl"], JOBS)
    service, timer = found["stackctl-shop-expire.service"], found["stackctl-shop-expire.timer"]
    assert "\nExecStart=/opt/py -m stackctl backup expire --apply\n" in service
    assert "\nUser=ada\n" in service
    assert "\nOnCalendar=*-*-01 03:30:00\nOnCalendar=Fri *-*-* 03:30:00\nPersistent=true\n" in timer


def test_what_systemd_would_expand():
    service = units("shop", "ada", ["/opt/a b", "100%", "$HOME"], JOBS)["stackctl-shop-full.service"]
    assert '\nExecStart="/opt/a b" 100%% $$HOME backup --full\n' in service


def test_a_crontab():
    text = crontab("shop", ["/opt/py", "--project", "/srv/5% of it"], JOBS)
    # cron ends a command at a percent sign without a backslash.
    assert text.splitlines() == [
        "# stackctl: shop",
        "15 2 * * 0 /opt/py --project '/srv/5\\% of it' backup --full",
        "30 3 1 * 5 /opt/py --project '/srv/5\\% of it' backup expire --apply",
    ]


def test_an_incremental_backup_with_nothing_to_build_on_is_a_full_one():
    """As each night after a restore was accepted, until the next full one is due."""
    job = Job("incremental", "15 2 * * 1-6")
    service = units("shop", "ada", ["/opt/py"], [job])["stackctl-shop-incremental.service"]
    assert "\nExecStart=/opt/py backup --incremental --or-full\n" in service
    line = crontab("shop", ["/opt/py"], [job]).splitlines()[1]
    assert line == "15 2 * * 1-6 /opt/py backup --incremental --or-full"
