"""Which backup `restore --into` and `backup expire` take, out of a repository."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.repository import Repository
from stackctl.backup.target import Target
from stackctl.backup.wal_name import lsn
from stackctl.errors import EngineFailed, Problem, RestoreRefused
from stackctl.operations.backups.expire import judge
from stackctl.operations.restore import Look, Wanted, choose_backup, empty_folder, put, restore_command
from stackctl.operations.restoring.plan import planned
from stackctl.settings.backup import BackupSettings
from stopped_stack import Stopped, stopped

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "repository")
    made.create()
    return made


def take(repository, days, system="7", timeline=1, stop="0/2000120"):
    """A full backup, finished so many days ago."""
    at = NOW - timedelta(days=days)
    identifier, folder = repository.begin(Kind.FULL, at)
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").write_text("17\n")
    made = Backup(identifier, Kind.FULL, "native", at, at, 0, 17, system, "")
    return repository.finish(folder, replace(made, timeline=timeline, wal_start=lsn(stop), wal_stop=lsn(stop)))


def test_into_a_folder_comes_no_cluster_that_nobody_chose(repository):
    mine, other = take(repository, 2), take(repository, 1, system="8")
    with pytest.raises(RestoreRefused, match="backups of 2 clusters"):
        choose_backup(repository, Target(), None)
    assert choose_backup(repository, Target(), mine.id).backup == mine
    repository.remove(mine.id)
    assert choose_backup(repository, Target(), None).backup == other


def test_the_archived_histories_say_what_leads_to_the_present(repository):
    stops = {15: "0/2000120", 14: "0/4000120", 6: "0/5000120", 1: "0/6000120"}
    taken = [take(repository, days, timeline=2 if days < 10 else 1, stop=stop) for days, stop in stops.items()]
    policy = BackupSettings(window=timedelta(days=7), redundancy=1, minimum=1)
    assert [each.id for each in judge(repository, policy).retention.expired] == [taken[0].id]
    (repository.wal_folder / "7").mkdir()
    (repository.wal_folder / "7" / "00000002.history-1-2").write_text("1\t0/3000158\tbefore the wrong DELETE\n")
    assert judge(repository, policy).retention.expired == ()


def test_where_the_own_cluster_is_known_nothing_of_another_expires(repository):
    policy = BackupSettings(window=timedelta(0), redundancy=1, minimum=1)
    mine = [take(repository, days, stop="0/3000120") for days in (4, 3)]
    other = [take(repository, days, system="8", stop="0/3000120") for days in (6, 5)]
    for system in ("7", "8"):
        (repository.wal_folder / system).mkdir()
        (repository.wal_folder / system / "000000010000000000000001-1-2").touch()

    def going(cluster):
        verdict = judge(repository, policy, cluster)
        kept = [each for each in repository.backups() if each.id in verdict.retention.reasons]
        files = repository.unneeded_files(kept, cluster)
        assert len(files) == verdict.wal_files
        return [each.id for each in verdict.retention.expired], [file.path.parent.name for file in files]

    assert going("7") == ([mine[0].id], ["7"])
    assert going("8") == ([other[0].id], ["8"])
    assert going("9") == ([], []), "as after the data was lost"
    assert going(None) == ([mine[0].id, other[0].id], ["7", "8"]), "each by itself"
    assert judge(repository, policy, "7").retention.reasons[other[0].id] == "of another cluster (8)"


def test_a_link_to_an_empty_folder_leads_to_it(tmp_path):
    """It could not be replaced by a copy that took hours."""
    (tmp_path / "disk" / "empty").mkdir(parents=True)
    for name in ("empty", "new"):
        (tmp_path / name).symlink_to(tmp_path / "disk" / name)
        assert empty_folder(tmp_path / name) == tmp_path / "disk" / name
    (tmp_path / "lost").symlink_to(tmp_path / "away" / "copy")
    with pytest.raises(RestoreRefused, match="away is not there"):
        empty_folder(tmp_path / "lost")


def test_a_disk_that_was_just_made_is_not_empty_and_it_is_said_what_will_do(tmp_path):
    (tmp_path / "lost+found").mkdir()
    with pytest.raises(RestoreRefused, match="not empty") as refused:
        empty_folder(tmp_path)
    assert refused.value.hint == f"lost+found alone is there: name {tmp_path}/data"
    (tmp_path / "rows").touch()
    with pytest.raises(RestoreRefused, match="not empty") as refused:
        empty_folder(tmp_path)
    assert refused.value.hint == "name a folder that is empty or not there"


def test_what_an_interrupted_restore_left_in_a_folder_is_removed_before_it_counts(tmp_path):
    (tmp_path / ".restore-1f").mkdir()
    assert empty_folder(tmp_path, left=True) == tmp_path
    with pytest.raises(RestoreRefused, match="not empty"):
        empty_folder(tmp_path)
    (tmp_path / "rows").touch()
    with pytest.raises(RestoreRefused, match="not empty"):
        empty_folder(tmp_path, left=True)


def test_one_that_was_named_is_refused_while_what_it_is_built_on_is_marked_damaged(repository):
    """Broken pages that a drill found would come along: its bytes are as they were written."""
    base, step = take(repository, 2), replace(take(repository, 1), kind=Kind.INCREMENTAL)
    step = replace(step, parent=base.id)
    repository.update(step)
    chosen = choose_backup(repository, Target(), step.id)
    assert [each.id for each in planned(repository, Target(), chosen, None, []).chain] == [base.id, step.id]
    repository.update(replace(base, status=Status.DAMAGED, drill_failed="amcheck: app"))
    with pytest.raises(RestoreRefused, match=f"{base.id}, which {step.id} is built on, is marked damaged: its drill"):
        planned(repository, Target(), chosen, None, [])


def test_what_was_found_in_a_copy_is_told_where_it_cannot_be_put_into_its_place(tmp_path):
    """Its error says where it is, and that a server may be started on it there."""
    data = tmp_path / "repository" / ".restore-1" / "data"
    data.mkdir(parents=True)
    (tmp_path / "copy" / "base").mkdir(parents=True)
    look = Look(print, wrong=(Problem("copy_damaged", "the restored copy is damaged: 16384", "compare an older one"),))
    with pytest.raises(EngineFailed) as failed:
        put(data, tmp_path / "copy", look)
    assert [problem.code for problem in failed.value.problems] == ["engine", "copy_damaged"]


def test_a_dry_run_into_a_folder_changes_nothing(tmp_path, monkeypatch):
    """Not even what an interrupted run left, whose copy somebody may still want to look at."""

    def none_yet(_self):
        raise FileNotFoundError("run")

    monkeypatch.setattr(Stopped, "programs", none_yet, raising=False)
    repository = Repository(tmp_path / "repository")
    repository.create()
    taken = take(repository, 1)
    (repository.root / ".restore-1" / "data").mkdir(parents=True)
    (repository.root / "lock").touch()
    request = stopped(tmp_path, repository.root, monkeypatch)
    before = sorted(tmp_path.rglob("*"))
    wanted = Wanted("latest", None, tmp_path / "copy")
    done = restore_command(request, None, print, wanted, dry_run=True)
    assert (done.data["backup"], [warning.code for warning in done.warnings]) == (taken.id, ["wal_unread"])
    assert sorted(tmp_path.rglob("*")) == before
