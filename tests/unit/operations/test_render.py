"""`stackctl render --target compose`: the files as `up` would write them, wherever backups and WAL go."""

import pytest
import yaml

from stackctl.operations.render import render_command
from stackctl.operations.result import Request


def mounts(service):
    return {each["target"]: each["source"] for each in service["volumes"] if isinstance(each, dict)}


@pytest.mark.parametrize("wal", ["stream", "sync"])
def test_a_receiver_beside_an_archive_that_the_project_names(tmp_path, wal):
    backup = f"{{wal: {wal}, repository: /srv/backups}}"
    (tmp_path / "stackctl.yaml").write_text(f"name: shop\nengine: docker\nimages: debian\nbackup: {backup}\n")
    render_command(Request(str(tmp_path), {"ram": "8G", "disk": "100G"}), tmp_path / "out", "compose")
    services = yaml.safe_load((tmp_path / "out" / "compose.yaml").read_text())["services"]
    up = "../" * len((tmp_path / "out").parts[1:])
    assert mounts(services["postgres"])["/var/lib/stackctl/wal"] == f"{up}srv/backups/wal"
    assert mounts(services["receiver"])["/var/lib/stackctl/tail"] == f"{up}srv/backups/tail"
