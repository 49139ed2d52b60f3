"""Monitoring and pooler images, hardened, next to a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.images.docker_client import Docker, wait_for
from e2e.images.hardening import tmpfs, user
from profiles import changed, sized
from stacks import by_path, compose_files

NOBODY = user(65534, 65534)
# As they are rendered for a stack with everything in it.
RENDERED = by_path(compose_files(sized(changed())))


def fetch(docker: Docker, name: str, address: str) -> str:
    """A page read inside the container by the program that its health check uses."""
    return docker("exec", name, "wget", "-q", "-O", "-", f"http://127.0.0.1:{address}", check=False)


def answers(docker: Docker, name: str, address: str, expected: str) -> None:
    """Wait until a page inside the container has the expected text."""
    wait_for(lambda: expected in fetch(docker, name, address), f"{address} says {expected}")


def confirm_hardened(docker: Docker, name: str, uid: str) -> None:
    """The process runs as `uid`, holds no capability and cannot write outside its mounts."""
    assert docker("exec", name, "id", "-u") == uid
    status = docker("exec", name, "cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert not docker.succeeds("exec", name, "touch", "/usr/here")


def configuration(folder: Path, name: str, text: str) -> Path:
    """A file that every user can read."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o444)
    return path


def rendered(folder: Path, service: str) -> Path:
    """The rendered files of a service, readable by every user."""
    for path, content in RENDERED.items():
        if path.startswith(f"{service}/"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o444)
    return folder / service


def test_prometheus(docker: Docker, built: dict[str, str], tmp_path: Path) -> None:
    folder = rendered(tmp_path, "prometheus")
    mounts = ("-v", f"{folder}:/etc/stackctl/prometheus:ro", "-v", f"{docker.volume('tsdb')}:/prometheus")
    arguments = ["--config.file=/etc/stackctl/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
    name = docker.start("prometheus", built["prometheus"], *NOBODY, *mounts, command=arguments)
    answers(docker, name, "9090/-/healthy", "Healthy")
    confirm_hardened(docker, name, "65534")
    told = docker("exec", name, "/bin/promtool", "check", "config", "/etc/stackctl/prometheus/prometheus.yml")
    files = len(list((folder / "rules").glob("*.yml")))
    assert f"SUCCESS: {files} rule files found" in told
    assert "FAILED" not in told
    docker("stop", "--time", "30", name)
    assert docker.state(name, "{{.State.ExitCode}}") == "0"


def test_alertmanager(docker: Docker, built: dict[str, str], tmp_path: Path) -> None:
    folder = rendered(tmp_path, "alertmanager")
    mounts = ("-v", f"{folder}:/etc/stackctl/alertmanager:ro", "-v", f"{docker.volume('data')}:/alertmanager")
    arguments = ["--config.file=/etc/stackctl/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"]
    arguments.append("--cluster.listen-address=")
    name = docker.start("alertmanager", built["alertmanager"], *NOBODY, *mounts, command=arguments)
    answers(docker, name, "9093/-/healthy", "OK")
    confirm_hardened(docker, name, "65534")
    check = ("exec", name, "/bin/amtool", "check-config", "/etc/stackctl/alertmanager/alertmanager.yml")
    assert "SUCCESS" in docker(*check)
    # What receivers of alerts are trusted by.
    docker("exec", name, "test", "-s", "/etc/ssl/certs/ca-certificates.crt")


@pytest.fixture
def network(docker: Docker) -> str:
    """The private network of one test."""
    return docker.network("net")


@pytest.fixture
def database(docker: Docker, built: dict[str, str], network: str) -> str:
    """A server on the network under the name `db`, with the password `secret`."""
    options = (*user(999, 999), *tmpfs("/tmp", 999), *tmpfs("/var/run/postgresql", 999, 8))
    place = (
        "--network",
        network,
        "--network-alias",
        "db",
        "-v",
        f"{docker.volume('pg')}:/var/lib/postgresql/data",
    )
    name = docker.start("db", built["postgres"], *options, *place, "-e", "POSTGRES_PASSWORD=secret")
    probe = ("exec", name, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres")
    wait_for(lambda: docker.succeeds(*probe), "the server answers")
    return name


def test_exporter_sees_the_database_and_says_when_it_is_gone(
    docker: Docker, built: dict[str, str], network: str, database: str
) -> None:
    source = "DATA_SOURCE_NAME=postgresql://postgres:secret@db:5432/postgres?sslmode=disable"
    options = (*NOBODY, "--network", network, "-e", source)
    arguments = ["--collector.postmaster", "--collector.long_running_transactions"]
    name = docker.start("exporter", built["postgres-exporter"], *options, command=arguments)
    answers(docker, name, "9187/metrics", "\npg_up 1\n")
    confirm_hardened(docker, name, "65534")
    docker("stop", database)
    answers(docker, name, "9187/metrics", "\npg_up 0\n")


def test_pgbouncer_carries_a_query_to_the_server(
    docker: Docker, built: dict[str, str], network: str, database: str, tmp_path: Path
) -> None:
    ini = "[databases]\n* = host=db port=5432\n[pgbouncer]\nlisten_addr = *\nlisten_port = 6432\n"
    ini += "unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = /etc/pgbouncer/userlist.txt\n"
    ini += "pool_mode = transaction\n"
    files = {"pgbouncer.ini": ini, "userlist.txt": '"postgres" "secret"\n'}
    mounts = [f"{configuration(tmp_path, n, text)}:/etc/pgbouncer/{n}:ro" for n, text in files.items()]
    options = (*user(70, 70), "--network", network, *(part for m in mounts for part in ("-v", m)))
    command = ["/usr/bin/pgbouncer", "/etc/pgbouncer/pgbouncer.ini"]
    name = docker.start("pgbouncer", built["pgbouncer"], *options, command=command)
    wait_for(
        lambda: docker.succeeds("exec", name, "pg_isready", "-q", "-h", "127.0.0.1", "-p", "6432"),
        "it listens",
    )
    client = ("psql", "-h", "127.0.0.1", "-p", "6432", "-U", "postgres", "-tAc", "SELECT 6 * 7")
    assert docker("exec", "-e", "PGPASSWORD=secret", name, *client) == "42"
    confirm_hardened(docker, name, "70")
