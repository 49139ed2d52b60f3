"""Why an incremental backup is not taken: whether a full one would be."""

import os
from datetime import UTC, datetime

import pytest

from stackctl.backup.native import Cluster, _run, take_incremental, wal_span
from stackctl.backup.repository import Repository
from stackctl.errors import BackupFailed, EngineFailed, NothingToBuildOn


@pytest.mark.parametrize("cluster", [Cluster("7", 16, 1, True), Cluster("7", 17, 1, False), Cluster("7", 17, 1, True)])
def test_where_nothing_can_be_built_on_a_full_one_is_as_good(tmp_path, cluster):
    repository = Repository(tmp_path / "repository")
    repository.create()
    with pytest.raises(NothingToBuildOn) as refused:
        take_incremental(repository, None, cluster, lambda: datetime.now(UTC), print)
    assert (refused.value.exit_code, refused.value.problems[0].code) == (40, "nothing_to_build_on")


class Failing:
    """Programs that say this."""

    def __init__(self, said):
        self.said = said

    def run(self, *_, **__):
        raise EngineFailed(f"pg_basebackup: {self.said}", hint="run it by hand")


def test_a_full_disk_is_no_reason_to_copy_all():
    gone = "ERROR:  WAL summaries are required on timeline 1 from 0/2000028 to 0/4000060, but no summaries exist"
    with pytest.raises(NothingToBuildOn):
        _run(Failing(gone), "pg_basebackup", folders=[])
    with pytest.raises(BackupFailed) as failed:
        _run(Failing("error: could not write file: No space left on device"), "pg_basebackup", folders=[])
    assert not isinstance(failed.value, NothingToBuildOn)


@pytest.mark.parametrize("there", ["link", "pipe"])
def test_a_manifest_that_the_account_replaced_is_not_read(tmp_path, there):
    """A pipe would be waited for for ever, and a link read as whoever takes the backup."""
    (tmp_path / "elsewhere").write_text('{"WAL-Ranges": [{}]}')
    manifest = tmp_path / "backup_manifest"
    manifest.symlink_to(tmp_path / "elsewhere") if there == "link" else os.mkfifo(manifest)
    with pytest.raises(BackupFailed, match="is no ordinary file"):
        wal_span(manifest)
