"""`stackctl render --target compose`: the files as `up` would write them, wherever backups and WAL go."""

import pytest
import yaml

from stackctl.errors import ProfileError
from stackctl.operations.render import render_command
from stackctl.operations.result import Request

STORE = "{repository: s3://shop-backups/production, key_file: key, secret_file: secret}"


def rendered(folder, backup, images="debian"):
    """The Compose file that is put into out/ for a section `backup`, and the text of postgresql.conf."""
    (folder / "stackctl.yaml").write_text(f"name: shop\nengine: docker\nimages: {images}\nbackup: {backup}\n")
    render_command(Request(str(folder), {"ram": "8G", "disk": "100G"}), folder / "out", "compose")
    compose = yaml.safe_load((folder / "out" / "compose.yaml").read_text())
    return compose, (folder / "out" / "postgres" / "postgresql.conf").read_text()


def mounts(service):
    return {each["target"]: each["source"] for each in service["volumes"] if isinstance(each, dict)}


@pytest.mark.parametrize("wal", ["stream", "sync"])
def test_a_receiver_beside_an_archive_that_the_project_names(tmp_path, wal):
    compose, _ = rendered(tmp_path, f"{{wal: {wal}, repository: /srv/backups}}")
    up = "../" * len((tmp_path / "out").parts[1:])
    assert mounts(compose["services"]["postgres"])["/var/lib/stackctl/wal"] == f"{up}srv/backups/wal"
    assert mounts(compose["services"]["receiver"])["/var/lib/stackctl/tail"] == f"{up}srv/backups/tail"


def test_pgbackrest_in_a_folder(tmp_path):
    compose, conf = rendered(tmp_path, "{encryption: on}")
    database = compose["services"]["postgres"]
    assert mounts(database) == {
        "/var/lib/stackctl/repository": "../backups/pgbackrest",
        "/run/stackctl-repository": "../.stackctl/repository",
    }
    assert (database["networks"], database["init"]) == (["database"], True)
    assert "archive_command = 'sh /etc/stackctl/postgres/push-wal " in conf
    assert (tmp_path / "out" / "postgres" / "pgbackrest.conf").is_file()


def test_pgbackrest_in_a_store_needs_a_way_out_and_no_folder(tmp_path):
    compose, _ = rendered(tmp_path, STORE)
    database = compose["services"]["postgres"]
    assert list(mounts(database)) == ["/run/stackctl-repository"]
    assert database["networks"] == ["database", "repository"]
    assert "repo1-s3-key" not in (tmp_path / "out" / "postgres" / "pgbackrest.conf").read_text()


@pytest.mark.parametrize(("encryption", "there"), [("off", True), ("on", False)])
def test_the_scheduler_has_the_folder_of_dumps_beside_a_store_unless_there_are_none(
    tmp_path, monkeypatch, encryption, there
):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    schedule = 'schedule: {full: "15 2 * * 0"}'
    compose, _ = rendered(tmp_path, f"{STORE[:-1]}, encryption: {encryption}, {schedule}}}")
    mine = mounts(compose["services"]["scheduler"])
    assert (mine.get(str(tmp_path / "backups")) == "../backups") is there
    assert compose["services"]["scheduler"]["environment"]["STACKCTL_REPOSITORY"] == str(tmp_path / "backups")


def test_what_up_refuses_is_not_rendered(tmp_path, monkeypatch):
    with pytest.raises(ProfileError, match=r"^backup\.engine: the public image"):
        rendered(tmp_path, "{encryption: on}", "public")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ProfileError, match=r"^backup\.scheduler: inside needs root"):
        rendered(tmp_path, '{encryption: on, schedule: {full: "15 2 * * 0"}}')
    assert not (tmp_path / "out").exists()
