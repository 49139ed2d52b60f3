"""Which services a changed engine file touches."""

from pathlib import Path

from profiles import changed, sized
from stackctl.render.sections import changed_services
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
