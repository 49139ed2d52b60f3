"""A restore in place: what was shown is what is done, or nothing is; and what is only shown makes nothing."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from stackctl.backup.model import Backup, Kind
from stackctl.backup.repository import Repository
from stackctl.backup.restore_plan import Candidate
from stackctl.backup.target import Target
from stackctl.backup.wal_name import lsn
from stackctl.backup.windows import Window
from stackctl.engine.project import Project
from stackctl.errors import RestoreRefused
from stackctl.operations.restoring import in_place, look
from stackctl.operations.restoring.in_place import How, in_place_command
from stackctl.operations.restoring.plan import After, Asked, Plan, refuse_other
from stackctl.operations.result import Request
from stackctl.operations.state import State, load
from stackctl.settings.pgbackrest import PgBackRest, Remote
from stopped_stack import Stopped

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def take(repository, hours):
    identifier, folder = repository.begin(Kind.FULL, NOON + timedelta(hours=hours))
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").write_text("17\n")
    start, at = lsn("0/2000028"), NOON + timedelta(hours=hours)
    made = Backup(identifier, Kind.FULL, "native", at, at, 0, 17, "7", "", 1, start, lsn("0/2000120"))
    return repository.finish(folder, made)


class Lost(Stopped):
    """The engine of a stack that lost its data."""

    def data_place(self):
        return self.folder

    def programs(self):
        raise FileNotFoundError(self.folder / "run")

    def places(self):
        return SimpleNamespace(there=lambda _number: False, taken=frozenset, copies=lambda: False)


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "backups")
    made.create()
    return made


@pytest.fixture
def prepared(tmp_path, repository):
    return SimpleNamespace(
        state=State("shop", "embedded", "asked for", "", {"embedded": 17}),
        opened=SimpleNamespace(
            project=Project("shop", tmp_path, None, None),
            settings=SimpleNamespace(profile=SimpleNamespace(postgres=17)),
            state=None,
        ),
        choice=SimpleNamespace(images=""),
        engine=Lost(repository.root),
        warnings=(),
    )


@pytest.fixture
def restore(tmp_path, prepared, monkeypatch):
    """A restore of which `meanwhile` happens while the question is open."""
    (tmp_path / ".stackctl").mkdir()

    @contextmanager
    def opened(*_):
        yield prepared

    monkeypatch.setattr(in_place, "opened", opened)

    def run(meanwhile):
        def agreed(_lines):
            meanwhile()
            return True

        in_place_command(Request(str(tmp_path)), How(None, print, agreed, 60), Asked("latest"), dry_run=False)

    return run


def test_a_backup_that_goes_while_the_question_is_open_is_not_restored_from_another_one(restore, repository, tmp_path):
    older, newer = take(repository, 0), take(repository, 1)
    with pytest.raises(RestoreRefused, match=f"begin with {older.id}, and not with {newer.id}") as refused:
        restore(lambda: repository.remove(newer.id))
    assert "nothing was changed" in refused.value.hint
    assert load(tmp_path / ".stackctl") is None, "no copy was begun"


@pytest.fixture
def dry_run(tmp_path, prepared, monkeypatch):
    monkeypatch.setattr(look, "prepare", lambda *_: prepared)
    how = How(None, print, lambda _: True, 60)
    return lambda: in_place_command(Request(str(tmp_path)), how, Asked("latest"), dry_run=True)


def test_on_a_machine_on_which_nothing_ran_yet_a_dry_run_tells_what_it_can_and_makes_nothing(
    dry_run, repository, tmp_path
):
    taken = take(repository, 0)
    before = sorted(tmp_path.rglob("*"))
    done = dry_run()
    assert (done.data["backup"], done.data["plan"]["lost_after"]) == (taken.id, None)
    assert [warning.code for warning in done.warnings] == ["wal_unread"]
    assert [path.name for path in sorted(tmp_path.rglob("*")) if path not in before] == ["lock"]


def test_without_the_keys_a_dry_run_refuses_a_repository_of_pgbackrest(dry_run, prepared, monkeypatch, tmp_path):
    prepared.opened.project = Project("shop", tmp_path, None, PgBackRest(Remote("s3", "shop", "/")))
    monkeypatch.setattr(look, "backups_of", lambda *_: None)
    with pytest.raises(RestoreRefused, match="--dry-run makes nothing"):
        dry_run()
    assert not (tmp_path / ".stackctl").exists()


def plan(end, timeline=1):
    backup = Backup("F1", Kind.FULL, "native", NOON, NOON, 0, 17, "7", "", 1, lsn("0/2000028"), lsn("0/2000120"))
    window = Window("F1", lsn("0/2000120"), lsn(end), timeline)
    return Plan(Target(), Candidate(backup, window), [backup], 1, 0, 0, (), None, None, NOON, After.KEPT)


def test_more_wal_is_the_same_restore_and_less_of_it_or_another_history_is_not():
    shown = plan("0/5000000")
    refuse_other(shown, replace(plan("0/6000000"), made=NOON + timedelta(minutes=5), wal_files=2))
    with pytest.raises(RestoreRefused, match="the WAL behind 0/4000000 is not there any more"):
        refuse_other(shown, plan("0/4000000"))
    with pytest.raises(RestoreRefused, match="follow timeline 2, and not 1"):
        refuse_other(shown, plan("0/6000000", timeline=2))
