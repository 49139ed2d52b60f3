"""Where the repository is: the project file says it, `up` checks it, and all who use it go there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from own_repository import configured
from running_stack import Stack, eventually


@pytest.fixture
def moved(stack: Stack, place: Path) -> Iterator[Path]:
    """The stack archives to the repository of the test; afterwards to its own again."""
    stack.up()
    yield place
    stack.write()
    stack.up()


def checks(stack: Stack, command: str) -> dict[str, str]:
    return {check["id"]: check["status"] for check in stack.run(command, "--json").data["checks"]}


@pytest.mark.full_on("docker")
def test_wal_goes_where_the_backups_are_and_a_drill_replays_it(stack: Stack, moved: Path) -> None:
    taken = stack.run("backup", "--json")
    assert taken.code == 0, taken.said
    rows = int(stack.sql("SELECT count(*) FROM tools"))
    stack.add_tools("written behind the backup")
    written = stack.sql("SELECT extract(epoch FROM clock_timestamp())")
    name = stack.sql("SELECT pg_walfile_name(pg_switch_wal())")
    eventually(lambda: list(moved.glob(f"wal/{taken.data['system']}/{name}-*")), 120, f"{name} is archived there")
    done = stack.run("backup", "drill", "--json", seconds=600)
    ended = stack.sql("SELECT extract(epoch FROM clock_timestamp())")
    assert done.code == 0, done.said
    assert done.data["tables"]["public.tools"] == rows + 1, "only the archived WAL has it"
    assert 0 <= done.data["rpo_seconds"] <= float(ended) - float(written)
    assert 0 < done.data["rto_seconds"] <= done.data["seconds"]
    found = stack.run("backup", "show", taken.data["id"], "--json").data
    assert (found["rpo_seconds"], found["rto_seconds"]) == (done.data["rpo_seconds"], done.data["rto_seconds"])
    assert stack.run("wal", "verify").code == 0


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
def test_a_place_that_the_server_could_not_archive_to_stops_up_before_anything_is_changed(
    stack: Stack, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("without root, the server runs as the operator, who reaches what they made")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    blocking = next(path for path in (*reversed(closed.parents), closed) if not path.stat().st_mode & 0o001)
    before = stack.identity(), stack.sql("SHOW archive_command")
    with configured(stack, repository=str(closed / "repository")):
        done = stack.run("up", "--json")
        assert done.code == 10, done.said
        assert f"{blocking}: the account" in done.document["errors"][0]["message"]
        assert (stack.identity(), stack.sql("SHOW archive_command")) == before


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
def test_health_judges_the_right_repository_whatever_else_is_wrong_in_the_file(stack: Stack, place: Path) -> None:
    """The default place has other backups, or none."""
    taken = stack.run("backup", "--json")
    assert taken.code == 0, taken.said
    stack.write(backup={"repository": str(place)}, profile={"ram": "plenty"})
    done = stack.run("health", "--json")
    (evidence,) = (check["evidence"] for check in done.data["checks"] if check["id"] == "backup")
    assert evidence.startswith(f"{taken.data['id']} is 0"), evidence
    assert any("plenty" in warning["message"] for warning in done.document["warnings"]), done.said
    stack.write(backup={"repository": "~/backups"})
    done = stack.run("health", "--json")
    found = {check["id"]: (check["status"], check["evidence"]) for check in done.data["checks"]}
    assert found["backup"][0] == "warn"
    assert "nobody knows where the backups are" in found["backup"][1]
    assert "backup.repository" in found["backup"][1]
    assert ("wal_gap" in found, found["backup_place"][0]) == (False, "skip")


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
def test_doctor_and_health_warn_until_the_backups_are_on_another_disk(stack: Stack, place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount another disk")
    place.mkdir(mode=0o755)
    shared = place.stat().st_dev == stack.home.stat().st_dev
    expected = "warn" if shared else "ok"
    assert (checks(stack, "doctor")["backup_place"], checks(stack, "health")["backup_place"]) == (expected, expected)
    assert stack.run("backup", "status", "--json").data["beside_data"] is shared
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m,mode=755", "other", str(place)], check=True)
    try:
        assert (checks(stack, "doctor")["backup_place"], checks(stack, "health")["backup_place"]) == ("ok", "ok")
        assert stack.run("backup", "status", "--json").data["beside_data"] is False
    finally:
        subprocess.run(["umount", str(place)], check=True)
