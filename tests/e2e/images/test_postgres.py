"""The PostgreSQL image, hardened as in production: first start, stop, restart, broken first starts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from e2e.images.docker_client import Docker, wait_for
from e2e.images.hardening import tmpfs, user
from stackctl.hardware.model import Build
from stackctl.images.builds import declared_build

PASSWORD = "correct horse"
OPTIONS = (*user(999, 999), *tmpfs("/tmp", 999), *tmpfs("/var/run/postgresql", 999, 8), "--shm-size", "128m")
SEED = "CREATE TABLE seed (n int); INSERT INTO seed VALUES (42);\n"
# Sees what a client on the network would see while the scripts run, and can be made to take its time.
SCRIPT = """\
#!/bin/sh
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c 'CREATE TABLE ran ()'
if pg_isready -q -h 127.0.0.1; then echo 'reachable during initialisation'; fi
if [ -e /docker-entrypoint-initdb.d/slow ]; then echo 'slow script waits'; sleep 120; fi
if [ -e /docker-entrypoint-initdb.d/broken ]; then exit 7; fi
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder of initialisation scripts that user 999 can read."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "10-seed.sql").write_text(SEED)
    (folder / "20-script.sh").write_text(SCRIPT)
    (folder / "20-script.sh").chmod(0o755)
    return folder


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """The password file as the product writes it: 0444 in a folder that only its owner can enter."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    path = folder / "password"
    path.write_text(PASSWORD + "\n")
    path.chmod(0o444)
    return path


def launch(docker: Docker, image: str, volume: str, scripts: Path, secret: Path) -> str:
    """A hardened server on `volume`, still starting."""
    return docker.start(
        "db",
        image,
        *OPTIONS,
        *("-v", f"{volume}:/var/lib/postgresql/data"),
        *("-v", f"{scripts}:/docker-entrypoint-initdb.d:ro"),
        *("-v", f"{secret}:/run/secrets/password:ro"),
        *("-e", "POSTGRES_PASSWORD_FILE=/run/secrets/password", "-e", "POSTGRES_DB=shop"),
        *("-e", "POSTGRES_INITDB_ARGS=--data-checksums --auth-host=scram-sha-256"),
        command=["postgres", "-c", "shared_preload_libraries=pg_stat_statements"],
    )


def ready(docker: Docker, name: str) -> None:
    """Wait for the server that serves the network."""
    probe = ("exec", name, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres", "-d", "shop")
    wait_for(lambda: docker.succeeds(*probe), "the server answers")


def query(docker: Docker, name: str, sql: str) -> str:
    """One value over TCP, so that the password counts."""
    client = ("psql", "-h", "127.0.0.1", "-U", "postgres", "-d", "shop", "-tAc", sql)
    return docker("exec", "-e", f"PGPASSWORD={PASSWORD}", name, *client)


def test_first_start_stop_and_second_start(docker: Docker, built: dict[str, str], scripts: Path, secret: Path) -> None:
    name = launch(docker, built["postgres"], docker.volume("data"), scripts, secret)
    ready(docker, name)
    assert query(docker, name, "SELECT n FROM seed") == "42"
    assert query(docker, name, "SHOW data_checksums") == "on"
    assert query(docker, name, "SHOW data_directory") == "/var/lib/postgresql/data"
    assert query(docker, name, "SHOW shared_preload_libraries") == "pg_stat_statements"
    assert "reachable during initialisation" not in docker("logs", name)
    assert PASSWORD not in docker("exec", name, "cat", "/proc/1/environ")
    assert PASSWORD not in docker("logs", name)
    assert docker("exec", name, "id", "-u") == "999"
    assert not docker.succeeds("exec", name, "touch", "/etc/here")
    assert docker("exec", name, "stat", "-c", "%a", "/var/lib/postgresql/data") == "700"

    began = time.monotonic()
    docker("stop", "--time", "60", name)
    assert time.monotonic() - began < 10
    assert docker.state(name, "{{.State.ExitCode}}") == "0"
    assert docker("logs", "--tail", "1", name).endswith("database system is shut down")

    docker("start", name)
    ready(docker, name)
    assert query(docker, name, "SELECT count(*) FROM seed") == "1"
    assert docker("logs", name).count("initialisation complete") == 1


def test_wrong_password_is_refused_over_the_network(
    docker: Docker, built: dict[str, str], scripts: Path, secret: Path
) -> None:
    name = launch(docker, built["postgres"], docker.volume("data"), scripts, secret)
    ready(docker, name)
    client = ("psql", "-h", "127.0.0.1", "-U", "postgres", "-d", "shop", "-c", "SELECT 1")
    refused = docker("exec", "-e", "PGPASSWORD=wrong", name, *client, check=False)
    assert "password authentication failed" in refused


def test_a_first_start_that_is_killed_starts_over(
    docker: Docker, built: dict[str, str], scripts: Path, secret: Path
) -> None:
    (scripts / "slow").touch()
    name = launch(docker, built["postgres"], docker.volume("data"), scripts, secret)
    wait_for(lambda: "slow script waits" in docker("logs", name), "the slow script runs")
    docker("kill", "--signal", "KILL", name)
    (scripts / "slow").unlink()
    docker("start", name)
    ready(docker, name)
    assert "an earlier initialisation did not finish" in docker("logs", name)
    assert query(docker, name, "SELECT count(*) FROM seed") == "1"
    listing = docker("exec", name, "ls", "-A", "/var/lib/postgresql/data")
    assert ".stackctl-initialising" not in listing


def test_a_first_start_that_is_stopped_ends_at_once(
    docker: Docker, built: dict[str, str], scripts: Path, secret: Path
) -> None:
    (scripts / "slow").touch()
    name = launch(docker, built["postgres"], docker.volume("data"), scripts, secret)
    wait_for(lambda: "slow script waits" in docker("logs", name), "the slow script runs")
    began = time.monotonic()
    docker("stop", "--time", "60", name)
    assert time.monotonic() - began < 10
    assert docker.state(name, "{{.State.ExitCode}}") == "130"
    (scripts / "slow").unlink()
    docker("start", name)
    ready(docker, name)
    assert query(docker, name, "SELECT count(*) FROM seed") == "1"


def test_started_as_root_it_continues_as_postgres(docker: Docker, built: dict[str, str]) -> None:
    mount = ("-v", f"{docker.volume('data')}:/var/lib/postgresql/data")
    name = docker.start("db", built["postgres"], "--user", "0:0", *mount, "-e", "POSTGRES_PASSWORD=x")
    probe = ("exec", name, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres")
    wait_for(lambda: docker.succeeds(*probe), "the server answers")
    assert docker("exec", name, "stat", "-c", "%u:%g", "/proc/1").strip() == "999:999"


def test_a_script_that_fails_leaves_no_half_made_database(
    docker: Docker, built: dict[str, str], scripts: Path, secret: Path
) -> None:
    (scripts / "broken").touch()
    name = launch(docker, built["postgres"], docker.volume("data"), scripts, secret)
    wait_for(lambda: docker.state(name) == "exited", "the container gives up")
    assert docker.state(name, "{{.State.ExitCode}}") == "7"
    (scripts / "broken").unlink()
    docker("start", name)
    ready(docker, name)
    assert query(docker, name, "SELECT count(*) FROM seed") == "1"


def test_a_cluster_that_was_only_half_moved_is_made_again(
    docker: Docker, built: dict[str, str], scripts: Path, secret: Path
) -> None:
    volume = docker.volume("data")
    # The state after a power cut during the last step: files on both levels, PG_VERSION not yet moved.
    half = "cd /var/lib/postgresql/data && mkdir -p base .stackctl-initialising/global"
    half += " && echo 17 >.stackctl-initialising/PG_VERSION && echo x >base/leftover"
    prepare = ("--entrypoint", "sh", "-v", f"{volume}:/var/lib/postgresql/data")
    docker("run", "--rm", *prepare, built["postgres"], "-c", half)
    name = launch(docker, built["postgres"], volume, scripts, secret)
    ready(docker, name)
    assert query(docker, name, "SELECT n FROM seed") == "42"
    assert not docker.succeeds("exec", name, "test", "-e", "/var/lib/postgresql/data/base/leftover")


def test_a_directory_with_other_files_is_refused_and_left_alone(
    docker: Docker, built: dict[str, str], scripts: Path, secret: Path
) -> None:
    volume = docker.volume("data")
    shell = (
        "--rm",
        "--entrypoint",
        "sh",
        "-v",
        f"{volume}:/var/lib/postgresql/data",
        built["postgres"],
        "-c",
    )
    docker("run", *shell, "echo precious >/var/lib/postgresql/data/file")
    name = launch(docker, built["postgres"], volume, scripts, secret)
    wait_for(lambda: docker.state(name) == "exited", "the container refuses")
    assert "is not empty" in docker("logs", name)
    assert docker("run", *shell, "cat /var/lib/postgresql/data/file") == "precious"


def test_an_empty_directory_without_a_password_is_refused(docker: Docker, built: dict[str, str]) -> None:
    name = docker.start("db", built["postgres"], *OPTIONS, "-v", f"{docker.volume('data')}:/var/lib/postgresql/data")
    wait_for(lambda: docker.state(name) == "exited", "the container refuses")
    assert "POSTGRES_PASSWORD_FILE" in docker("logs", name)


def test_other_programs_run_without_a_cluster(docker: Docker, built: dict[str, str]) -> None:
    for program in ("pg_basebackup", "pg_verifybackup", "pg_combinebackup", "pg_amcheck", "pgbench"):
        command = ("run", "--rm", *OPTIONS, built["postgres"], program, "--version")
        assert docker(*command).startswith(f"{program} (PostgreSQL) 17.")
    assert docker("run", "--rm", *OPTIONS, built["postgres"], "postgres", "--version").startswith("postgres")


def test_the_declared_build_is_what_the_server_has(
    docker: Docker, built: dict[str, str], scripts: Path, secret: Path
) -> None:
    name = launch(docker, built["postgres"], docker.volume("data"), scripts, secret)
    ready(docker, name)
    sql = "SELECT enumvals FROM pg_settings WHERE name IN ('wal_compression', 'io_method')"
    choices, jit = query(docker, name, sql), query(docker, name, "SELECT pg_jit_available()")
    found = Build("lz4" in choices, "zstd" in choices, jit == "t", "io_uring" in choices)
    assert found == declared_build("debian")


def test_what_sends_to_an_object_store_trusts_the_authorities_of_the_great_ones(
    docker: Docker, built: dict[str, str]
) -> None:
    """Without backup.ca_file, pgbackrest looks where its TLS library does."""
    words = ("storeutl", "-noout", "-text", "-certs", "/usr/lib/ssl/cert.pem")
    said = docker("run", "--rm", "--network", "none", *OPTIONS, "--entrypoint", "openssl", built["postgres"], *words)
    for authority in ("Amazon Root CA 1", "DigiCert Global Root G2", "GTS Root R1"):
        assert authority in said
