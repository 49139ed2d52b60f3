"""What the server says when recovery fails, in our words."""

from stackctl.backup.restore import explained
from stackctl.backup.target import Target
from stackctl.engine.throwaway import not_started


def said(end, name="000000010000000000000005"):
    log = f'2026-03-01 12:00:01 UTC [7] FATAL:  could not restore file "{name}" from archive: {end}\n'
    return explained(not_started(log), Target())


def test_damage_in_the_archive_is_told_from_a_full_disk_of_the_copy():
    damaged, full = said("command not executable"), said("child process exited with exit code 200")
    assert (damaged.exit_code, full.exit_code) == (41, 20)
    assert "is damaged" in str(damaged)
    assert str(full) == "000000010000000000000005 could not be written into the copy: is its disk full?"


def test_a_file_with_the_status_in_its_name_is_no_full_disk():
    assert said("command not executable", "000000010000000000000200").exit_code == 41
