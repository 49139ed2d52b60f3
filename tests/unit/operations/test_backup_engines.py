"""Which engine takes the backups, what it keeps apart, and what it does not do."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from rendered_repository import rendered_conf
from stackctl.backup.model import Kind
from stackctl.engine.project import Project
from stackctl.errors import BackupFailed, EngineFailed, Locked, ProfileError, Unhealthy
from stackctl.operations.backups.engines import backups_of, refuse_unscheduled
from stackctl.settings.backup import BackupSettings
from stackctl.settings.pgbackrest import PgBackRest, Remote

STORE = Remote("s3", "shop", "/")


def project(folder, chosen, repository=None):
    made = Project("shop", folder, repository, chosen)
    conf = made.rendered / "postgres" / "pgbackrest.conf"
    conf.parent.mkdir(parents=True)
    if chosen is not None:
        conf.write_bytes(rendered_conf(made, repository or folder / "backups"))
    return made


def nobody():
    raise EngineFailed("the store cannot be reached", hint="")


def engine(name, folder):
    programs = SimpleNamespace(end_orphans=lambda: False, end_strays=lambda _folders: None, with_repository=nobody)
    return SimpleNamespace(name=name, repository=lambda: folder / "backups", programs=lambda: nullcontext(programs))


@pytest.mark.parametrize(
    ("chosen", "name", "images", "taken_by"),
    [
        (None, "embedded", "", "native"),
        (None, "docker", "public", "native"),
        (PgBackRest(), "docker", "debian", "pgbackrest"),
        (PgBackRest(STORE), "docker", "debian", "pgbackrest"),
    ],
)
def test_who_takes_the_backups(tmp_path, chosen, name, images, taken_by):
    assert backups_of(project(tmp_path, chosen), engine(name, tmp_path), images).name == taken_by


@pytest.mark.parametrize(("name", "images"), [("embedded", ""), ("docker", "public"), ("docker", "")])
def test_pgbackrest_is_only_in_images_that_are_built_here(tmp_path, name, images):
    with pytest.raises(ProfileError, match=r"^backup\.engine: ") as caught:
        backups_of(project(tmp_path, PgBackRest()), engine(name, tmp_path), images)
    assert "--images debian" in caught.value.hint


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (None, PgBackRest()),
        (PgBackRest(), None),
        (PgBackRest(), PgBackRest(encryption=True)),
        (PgBackRest(encryption=True), PgBackRest()),
        (PgBackRest(STORE), PgBackRest(Remote("s3", "shop", "/other"))),
        (PgBackRest(STORE, options={"ca_file": "ca"}), PgBackRest(STORE)),
    ],
)
def test_what_the_server_does_not_archive_to_yet_waits_for_up(tmp_path, was, now):
    """A backup there would lack its WAL, or be told to be where it is not."""
    before = project(tmp_path, was)
    with pytest.raises(ProfileError, match="another repository than the server archives to") as caught:
        backups_of(replace(before, pgbackrest=now), engine("docker", tmp_path), "debian")
    assert caught.value.hint == "stackctl up brings it in"


@pytest.mark.parametrize("was", [None, "/srv/a"])
def test_another_folder_waits_for_up_too(tmp_path, was):
    """In the container all folders have one name: what reads the new one would tell of an older copy there."""
    before = project(tmp_path, PgBackRest(), Path(was) if was else None)
    here = SimpleNamespace(name="docker", repository=lambda: before.repository or tmp_path / "backups")
    assert backups_of(before, here, "debian").name == "pgbackrest"
    there = SimpleNamespace(name="docker", repository=lambda: Path("/srv/b"))
    with pytest.raises(ProfileError, match="another repository than the server archives to") as caught:
        backups_of(replace(before, repository=Path("/srv/b")), there, "debian")
    assert caught.value.exit_code == 10


@pytest.mark.parametrize(
    ("chosen", "elsewhere"), [(None, False), (PgBackRest(encryption=True), False), (PgBackRest(STORE), True)]
)
def test_only_an_object_store_is_away_from_this_machine(tmp_path, chosen, elsewhere):
    assert project(tmp_path, chosen).away is elsewhere


@pytest.mark.parametrize("chosen", [PgBackRest(), PgBackRest(STORE)])
def test_restores_go_beside_each_other_and_nothing_that_changes_the_repository_beside_them(tmp_path, chosen):
    mine = project(tmp_path, chosen)
    one, other = (backups_of(mine, engine("docker", tmp_path), "debian") for _ in range(2))
    with one.working("stackctl restore", print, shared=True):
        with other.working("stackctl restore", print, shared=True):
            pass
        with pytest.raises(Locked, match=r"^stackctl restore "), other.working("stackctl backup", print):
            pass
    with (
        one.working("stackctl backup", print),
        pytest.raises(Locked, match=r"^stackctl backup "),
        other.working("stackctl restore", print, shared=True),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".stackctl"]


def test_a_server_that_does_not_answer_fails_the_backup(tmp_path):
    """With the code of a backup that failed, whichever engine takes it."""

    def silent(_sql):
        raise Unhealthy("PostgreSQL does not answer", hint="stackctl logs postgres")

    asked = engine("embedded", tmp_path)
    asked.query = silent
    with pytest.raises(BackupFailed, match="PostgreSQL does not answer"):
        backups_of(project(tmp_path, None), asked, "").take(Kind.FULL, print, gently=False)


def test_only_root_can_have_the_stack_run_a_schedule_of_pgbackrest(monkeypatch):
    """The container of anybody else has their number, and the database's files are another account's."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    scheduled = BackupSettings(schedule={"full": "15 2 * * 0"}, pgbackrest=PgBackRest())
    with pytest.raises(ProfileError, match=r"^backup\.scheduler: inside needs root") as caught:
        refuse_unscheduled(scheduled)
    assert "scheduler: none" in caught.value.hint
    for other in (replace(scheduled, scheduler="none"), replace(scheduled, pgbackrest=None)):
        refuse_unscheduled(other)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    refuse_unscheduled(scheduled)
