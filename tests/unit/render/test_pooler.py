"""PgBouncer's configuration and its service, and what the others have to do with it."""

import configparser
from pathlib import Path

import pytest
import yaml

from profiles import changed, sized
from stackctl.engine.docker import place as docker
from stackctl.hardware.model import PORTABLE_BUILD, Pooler
from stackctl.render.manifest import Target
from stackctl.render.stack import SERVICES, Stack, render_stack
from stackctl.settings.model import Ports
from stacks import IMAGES, by_path, compose_files, embedded_files, services_of

POOLED = changed(pooler=Pooler.PGBOUNCER, postgres=18)


def _ini(files):
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=None)
    parser.read_string(files["pgbouncer/pgbouncer.ini"])
    return parser


def _compose(**pins):
    return by_path(compose_files(sized(POOLED, **pins)))


def _embedded(root="/srv/shop"):
    return by_path(embedded_files(sized(POOLED, PORTABLE_BUILD), Path(root)))


def _services(files):
    return yaml.safe_load(files["compose.yaml"])["services"]


def _program(files, name):
    parser = configparser.RawConfigParser()
    parser.read_string(files["supervisord.conf"])
    return parser[f"program:{name}"]


def test_no_trace_of_it_without_being_asked_for():
    files = by_path(compose_files(sized(changed())))
    assert not any("pgbouncer" in path for path in files)
    assert "pgbouncer" not in files["compose.yaml"]
    assert "pgbouncer" not in by_path(embedded_files(sized(), Path("/srv/shop")))["supervisord.conf"]


def test_pools_and_limits_are_those_of_the_sizing():
    ini = _ini(_compose(DB_POOL_TIMEOUT="7", DB_POOL_RECYCLE="99", PG_CONNECT_TIMEOUT="4", PG_KEEPALIVES_IDLE="20"))
    found = ini["pgbouncer"]
    assert dict(ini["databases"]) == {"app": "host=postgres port=5432 dbname=app"}
    expected = {
        "pool_mode": "transaction",
        "max_db_connections": "90",
        "default_pool_size": "90",
        "max_client_conn": "3584",
        "max_prepared_statements": "100",
        "query_wait_timeout": "2",
        "server_lifetime": "99",
        "server_connect_timeout": "4",
        "client_login_timeout": "4",
        "tcp_keepidle": "20",
        "tcp_user_timeout": "4000",
        "log_connections": "0",
        "log_disconnections": "0",
        "listen_port": "6432",
        "unix_socket_dir": "",
    }
    assert {key: found[key] for key in expected} == expected


def test_only_verifiers_and_only_statistics():
    found = _ini(_compose())["pgbouncer"]
    assert (found["auth_type"], found["auth_file"]) == ("scram-sha-256", "/run/secrets/pgbouncer_userlist")
    assert found["stats_users"] == "monitor"
    assert not {"admin_users", "auth_query", "auth_user"} & set(found)


def test_every_line_has_its_reason():
    previous = ""
    for line in _compose()["pgbouncer/pgbouncer.ini"].splitlines():
        if "=" in line and not line.startswith(";"):
            # A comment, or a line that shares its comment.
            assert previous.startswith(";") or "=" in previous, line
        assert line.startswith(";") or ";" not in line
        previous = line


def test_the_container_is_inside_only():
    service = _services(_compose())["pgbouncer"]
    assert service["networks"] == ["database"]
    assert "ports" not in service
    assert service["secrets"] == ["pgbouncer_userlist"]
    assert (service["user"], service["stop_signal"], service["mem_limit"]) == ("70:70", "SIGINT", "128m")
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    # The public image's entry point would write and print a configuration.
    assert service["entrypoint"] == ["/usr/bin/pgbouncer"]
    assert "environment" not in service


def test_the_app_goes_through_it_and_nobody_else():
    services = _services(_compose())
    app = services["app"]["environment"]
    assert app["DATABASE_URL"] == "postgresql+psycopg://app@pgbouncer:6432/app"
    assert (app["DB_POOLER"], app["PG_PREPARED_STATEMENT_CACHE"]) == ("pgbouncer", "100")
    assert (app["DB_POOL_SIZE"], app["DB_MAX_OVERFLOW"]) == ("25", "25")
    assert services["app"]["depends_on"]["pgbouncer"] == {"condition": "service_healthy"}
    assert services["migrate"]["environment"]["DATABASE_URL"] == "postgresql+psycopg://owner@postgres:5432/app"
    assert "DB_POOLER" not in services["migrate"]["environment"]
    assert services["exporter"]["environment"]["DATA_SOURCE_URI"].startswith("postgres:5432/")
    users = [name for name, each in services.items() if "pgbouncer" in str(each.get("environment", ""))]
    assert users == ["app"]


def test_the_program_listens_on_loopback():
    files = _embedded()
    found = _ini(files)["pgbouncer"]
    assert (found["listen_addr"], found["listen_port"]) == ("127.0.0.1", "6432")
    assert _ini(files)["databases"]["app"] == "host=127.0.0.1 port=5432 dbname=app"
    assert found["auth_file"] == "/srv/shop/secrets/pgbouncer_userlist"
    program = _program(files, "pgbouncer")
    assert program["command"] == "/srv/shop/programs/pgbouncer /srv/shop/rendered/pgbouncer/pgbouncer.ini"
    # SIGTERM would wait for clients that never leave, or for none, by version.
    assert program["stopsignal"] == "INT"
    order = [int(_program(files, name)["priority"]) for name in ("postgres", "pgbouncer", "app")]
    assert order == sorted(order)
    assert '127.0.0.1:6432/app"' in _program(files, "app")["environment"]


@pytest.mark.parametrize("pinned", ["100", "0"])
def test_a_version_that_carries_no_prepared_statements_is_not_asked_to(pinned):
    sizing = sized(POOLED, PG_PREPARED_STATEMENT_CACHE=pinned)
    services = [service for service in services_of(sizing) if service != "observer"]
    rest = {**docker.extra(sizing, Ports(), IMAGES, None), "secrets": [], "secrets_folder": "", "fingerprint": ""}
    rest |= {"archive": docker.archive("../wal")}
    stack = Stack("shop", docker.place_of(18), tuple(services), rest, pooler_prepares=False)
    files = by_path(render_stack(sizing, stack, Target.COMPOSE))
    # Older versions end at a key that they do not know.
    assert "max_prepared_statements" not in _ini(files)["pgbouncer"]
    assert _services(files)["app"]["environment"]["PG_PREPARED_STATEMENT_CACHE"] == "0"


def test_it_starts_before_the_app_that_needs_it():
    assert SERVICES.index("postgres") < SERVICES.index("pgbouncer") < SERVICES.index("app")
