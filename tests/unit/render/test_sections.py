"""Which services a changed engine file touches."""

from pathlib import Path

from profiles import changed, sized
from stackctl.render.sections import changed_services, services_in
from stacks import by_path, compose_files, embedded_files


def _compose(profile=None, **pins):
    return by_path(compose_files(sized(profile or changed(), **pins)))["compose.yaml"].encode()


def _supervisor(profile=None, **pins):
    return by_path(embedded_files(sized(profile or changed(), **pins), Path("/srv/shop")))["supervisord.conf"].encode()


def test_the_same_file_touches_nothing():
    assert changed_services("compose.yaml", _compose(), _compose()) == set()
    assert changed_services("supervisord.conf", _supervisor(), _supervisor()) == set()


def test_a_larger_pool_touches_the_app():
    assert changed_services("compose.yaml", _compose(), _compose(DB_POOL_SIZE="10")) == {"app"}
    assert changed_services("supervisord.conf", _supervisor(), _supervisor(DB_POOL_SIZE="10")) == {"app"}


def test_services_that_come_and_go_are_touched():
    small = changed(ram_mib=1024)
    touched = changed_services("compose.yaml", _compose(), _compose(small))
    assert {"alertmanager", "grafana", "postgres"} <= touched
    assert "alertmanager" in changed_services("supervisord.conf", _supervisor(), _supervisor(small))


SUPERVISOR = b"[supervisord]\nlogfile=/a\n\n[program:app]\ncommand=/bin/app\n\n[program:postgres]\ncommand=/bin/pg\n"
COMPOSE = b'name: "x"\nservices:\n  app: {image: "a:1", command: ["run"]}\n  postgres: {image: "p:1"}\n'


def test_services_are_those_with_a_section():
    assert services_in("supervisord.conf", SUPERVISOR) == {"app", "postgres"}
    assert services_in("compose.yaml", COMPOSE) == {"app", "postgres"}


def test_only_a_service_that_reads_differently_is_changed():
    assert changed_services("supervisord.conf", SUPERVISOR, SUPERVISOR.replace(b"/bin/app", b"/bin/app2")) == {"app"}
    assert changed_services("supervisord.conf", SUPERVISOR, SUPERVISOR.replace(b"logfile=/a", b"logfile=/b")) == set()
    assert changed_services("compose.yaml", COMPOSE, COMPOSE.replace(b"p:1", b"p:2")) == {"postgres"}
    assert changed_services("compose.yaml", COMPOSE, b"# a comment\n" + COMPOSE) == set()


def test_a_service_that_comes_or_goes_is_changed():
    without = b'name: "x"\nservices:\n  postgres: {image: "p:1"}\n'
    assert changed_services("compose.yaml", COMPOSE, without) == {"app"}
    assert changed_services("compose.yaml", without, COMPOSE) == {"app"}
