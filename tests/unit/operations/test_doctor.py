"""`stackctl doctor` on a host without a Docker Engine."""

import pytest

from stackctl.engine.docker import containers
from stackctl.engine.runner import Runner
from stackctl.operations.doctor import doctor_command
from stackctl.operations.result import Request

STORE = "{repository: s3://shop-backups/production, key_file: key, secret_file: secret}"


@pytest.mark.parametrize(
    ("backup", "status"),
    [
        ("{repository: copies}", "warn"),
        ("{encryption: on}", "warn"),
        ("{repository: copies, engine: pgbackrest}", "warn"),
        (STORE, "ok"),
    ],
)
def test_backups_in_an_object_store_are_not_lost_with_the_disk_of_the_data(tmp_path, monkeypatch, backup, status):
    monkeypatch.setattr(containers, "engine_version", lambda: None)
    monkeypatch.setattr(containers, "engine_problem", lambda: "is not installed")
    (tmp_path / "stackctl.yaml").write_text(f"engine: docker\nimages: debian\nbackup: {backup}\n")
    result = doctor_command(Request(str(tmp_path), {}), Runner(lambda _line: None))
    (found,) = (check for check in result.data["checks"] if check["id"] == "backup_place")
    assert found["status"] == status, found
