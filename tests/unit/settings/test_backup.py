"""The section `backup` of the project file."""

from datetime import timedelta
from pathlib import Path

import pytest

from stackctl.errors import ProfileError
from stackctl.settings.backup import BackupSettings, backup_settings
from stackctl.settings.project_file import load, load_section


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "stackctl.yaml"
        path.write_text(text)
        return path

    return write


def test_what_is_left_out(file):
    keys = load(file("backup:\n")).keys
    assert backup_settings(keys, Path("/p")) == BackupSettings(
        None, timedelta(days=14), redundancy=2, minimum=2, weekly=0, monthly=0, questions={}
    )


def test_all_of_it(file):
    text = """
backup:
  repository: /srv/backups
  recovery_window: 2w
  redundancy: 1
  minimum: 3
  weekly: 4
  monthly: 12
  pace: full
  drill_sql:
    rows: SELECT count(*) > 0 FROM tools;
    young: "SELECT true"
"""
    found = backup_settings(load(file(text)).keys, Path("/p"))
    questions = {"rows": "SELECT count(*) > 0 FROM tools", "young": "SELECT true"}
    assert found == BackupSettings(Path("/srv/backups"), timedelta(days=14), 1, 3, 4, 12, "full", questions)


@pytest.mark.parametrize(("text", "seconds"), [("36h", 129_600), (" 14 d ", 1_209_600), ("1w", 604_800), ("0d", 0)])
def test_spans(file, text, seconds):
    found = backup_settings(load(file(f"backup:\n  recovery_window: {text}\n")).keys, Path("/p"))
    assert found.window.total_seconds() == seconds


def test_a_relative_repository_is_below_the_project(file):
    keys = load(file("backup:\n  repository: safe/copies\n")).keys
    assert backup_settings(keys, Path("/srv/shop")).repository == Path("/srv/shop/safe/copies")


@pytest.mark.parametrize(
    ("line", "sentence", "hint"),
    [
        ("recovery_window: 14", "'14' is no span of time", "write 14d, with h, d or w for hours, days or weeks"),
        ("recovery_window: forever", "'forever' is no span of time", "write 14d,"),
        ("minimum: 0", "0 is outside 1 to 1000", "write a whole number from 1 to 1000"),
        ("redundancy: -1", "-1 is outside 1 to 1000", ""),
        ("repository: ~/backups", "'~/backups' is not written out", "no ~"),
        ("repository: ../backups", "'../backups' is no folder", "absolute"),
        ("repository: /", "'/' is no folder", ""),
        ("repository: .stackctl/backups", "is no place for backups", ""),
        ("pace: gentel", "'gentel' is no pace", "did you mean gentle?"),
        ("minimun: 2", "there is no such key", "did you mean minimum?"),
        ("drill_sql: SELECT true", "holds keys of its own", ""),
        ("drill_sql: {a b: SELECT true}", "is no name for a query", ""),
        ("drill_sql: {a: ' ; '}", "is empty", ""),
    ],
)
def test_a_fault_is_told_with_its_key_and_line_by_both_readers(file, line, sentence, hint):
    path = file(f"name: shop\nbackup:\n  {line}\n")
    for reader in (load, lambda each: load_section(each, "backup")):
        with pytest.raises(ProfileError) as caught:
            reader(path)
        (problem,) = caught.value.problems
        assert problem.message.startswith("stackctl.yaml:3: backup.")
        assert sentence in problem.message
        assert hint in problem.hint


def test_faults_elsewhere_do_not_stop_a_backup(file):
    path = file("profile:\n  ram: lots\ncolour: blue\nbackup:\n  repository: /srv/backups\n")
    assert load_section(path, "backup").keys["backup.repository"].text == "/srv/backups"
    with pytest.raises(ProfileError):
        load(path)
