"""`render --target conf`: files for any PostgreSQL, tried on every version that this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from e2e.stack.server_programs import identity, place, programs_of
from running_stack import Done, Stack, eventually, free_ports

__all__ = ["place"]
WORKLOADS = ("web", "oltp", "olap", "mixed", "dev")


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("version", [15, 18])
def test_the_files_boot_a_server_as_they_are(place: Path, tmp_path: Path, version: int, workload: str) -> None:
    check_boots(place, tmp_path, version, "2G", "ssd", workload)


@pytest.mark.parametrize(("version", "method"), [(15, "lz4"), (18, "off")])
def test_files_for_the_programs_that_were_named_boot_on_them(
    place: Path, tmp_path: Path, version: int, method: str
) -> None:
    check_boots(place, tmp_path, version, "2G", "ssd", "web", "--build", str(programs_of(place, version)))
    assert f"\nwal_compression = {method}" in (tmp_path / "out" / "postgresql.conf").read_text()


@pytest.mark.full
@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("storage", ["hdd", "nvme", "network"])
@pytest.mark.parametrize("ram", ["1G", "4G", "16G", "64G"])
@pytest.mark.parametrize("version", [15, 18])
def test_every_profile_boots(place: Path, tmp_path: Path, version: int, ram: str, storage: str, workload: str) -> None:
    check_boots(place, tmp_path, version, ram, storage, workload)


def check_boots(place: Path, tmp_path: Path, version: int, ram: str, storage: str, workload: str, *words: str) -> None:
    programs = programs_of(place, version)
    user, name = identity()
    folder = Path(tempfile.mkdtemp(prefix=f"{version}-", dir=place))
    if user:
        os.chown(folder, user["user"], user["group"])

    def run(program: str, *words: str, check: bool = True) -> Done:
        done = subprocess.run(
            [str(programs / program), *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **user,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    profile = ["--ram", ram, "--cpus", "2", "--disk", "10G", "--storage", storage, "--workload", workload, *words]
    out = tmp_path / "out"
    rendered = Stack(tmp_path, "").run(
        "render", "--target", "conf", "--pg", str(version), "--out", str(out), *profile, "--json"
    )
    assert rendered.code == 0, rendered.said
    assert sorted(rendered.data["files"]) == ["pg_hba.conf", "postgresql.conf"]
    text = (out / "postgresql.conf").read_text()
    assert "include" not in text
    assert "/" not in "".join(line.split("#")[0] for line in text.splitlines())

    run("initdb", "-D", "data", "-U", "postgres", "-A", "peer", "-N")
    # As someone would who was given the two files.
    for file in ("postgresql.conf", "pg_hba.conf"):
        shutil.copyfile(out / file, folder / "data" / file)
    hba = (folder / "data" / "pg_hba.conf").read_text()
    (port,) = free_ports(1)
    started = ["-D", "data", "-p", str(port), "-k", str(folder), "-h", "127.0.0.1"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([str(programs / "postgres"), *started], cwd=folder, stdout=log, stderr=log, **user)
    try:
        eventually(
            lambda: run("pg_isready", "-q", "-h", str(folder), "-p", str(port), check=False).code == 0,
            30,
            "the server answers: " + (folder / "log").read_text(errors="replace"),
        )

        def ask(sql: str, check: bool = True) -> Done:
            where = ["-h", str(folder), "-p", str(port), "-U", "postgres", "-d", "postgres"]
            return run("psql", "-XAtq", *where, "-c", sql, check=check)

        # Peer: the administrator is the system user of the same name, so nobody else is let in as it is.
        refused = ask("SELECT 1", check=False)
        assert 'Peer authentication failed for user "postgres"' in refused.err
        (folder / "data" / "pg_hba.conf").write_text(f"local all postgres peer map=test\n{hba}")
        (folder / "data" / "pg_ident.conf").write_text(f"test {name} postgres\n")
        run("pg_ctl", "-D", "data", "reload")
        eventually(lambda: ask("SELECT 1", check=False).code == 0, 10, "the administrator is let in")
        assert ask("SELECT name, setting, error FROM pg_file_settings WHERE error IS NOT NULL").out == ""
        assert ask("SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL").out == ""
        assert ask("SELECT name FROM pg_settings WHERE pending_restart").out == ""
        assert ask("SHOW server_version_num").out.startswith(str(version))
        assert ask("SHOW shared_preload_libraries").out.strip() == "pg_stat_statements"
        # Every line is in force.
        count = sum(1 for line in text.splitlines() if line and not line.startswith("#"))
        assert ask("SELECT count(*) FROM pg_file_settings WHERE applied").out.strip() == str(count)
    finally:
        server.send_signal(2)
        server.wait(30)
    told = (folder / "log").read_text()
    started = told.split("ready to accept connections")[0].splitlines()
    # A probe that came too early is told so by this.
    assert [line for line in started if "FATAL" in line and "is starting up" not in line] == []
    assert "database system is shut down" in told
