"""The user's own app in rendered files, as Compose, supervisord and Prometheus read them."""

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import yaml
from supervisor.options import ServerOptions

from profiles import sized
from stackctl.render import environment
from stackctl.render.own_app import expanded, health_check, with_app
from stackctl.render.write import write
from stackctl.settings.app_section import CONTRACT, REFERENCE_APP, AppSection
from stackctl.settings.model import Ports
from stacks import by_path, compose_files, embedded_files, place_of_containers

OWN = AppSection(
    image="example/shop:1.2",
    command=("gunicorn", "--bind", "$BIND", "--name", "${PGDATABASE}-$HOME-$PORTS", "shop:app"),
    port=8000,
    health_path="/health",
    migrate=("flask", "db", "upgrade", "$PGUSER"),
    env={"GREETING": "it costs $5, 100%"},
    options={"search_path": "app,public", "jit": "off"},
)


def _compose(app, **options):
    return yaml.safe_load(by_path(compose_files(sized(), app=app, **options))["compose.yaml"])


def _service(app, name="app", **options):
    return _compose(app, **options)["services"][name]


def test_an_own_app_differs_from_the_reference_app_only_in_what_it_is():
    own, reference = _service(OWN), _service(REFERENCE_APP)
    differing = {key for key in own.keys() | reference.keys() if own.get(key) != reference.get(key)}
    assert differing == {"image", "command", "volumes", "ports", "environment", "healthcheck"}
    assert own["image"] == "example/shop:1.2"
    assert own["ports"] == ["127.0.0.1:4444:8000"]
    assert own["user"] == "10001:10001"


def test_contract_variables_in_a_command_are_filled_in_and_others_left_to_the_app():
    # Compose would fill in a single dollar itself.
    assert _service(OWN)["command"] == [
        "gunicorn", "--bind", "0.0.0.0:8000", "--name", "app-$$HOME-$$PORTS", "shop:app"
    ]  # fmt: skip
    assert _service(OWN, "migrate")["command"] == ["flask", "db", "upgrade", "app"]
    assert expanded(["$A$B", "${A}x", "$$A"], {"A": "1"}) == ["1$B", "1x", "$1"]


def test_without_a_command_the_images_own_runs():
    app = AppSection(image="example/shop:1.2", port=8000)
    services = _compose(app)["services"]
    assert "command" not in services["app"]
    assert "migrate" not in services
    assert services["app"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_the_app_and_its_migration_get_the_contract():
    app, migrate = (_service(OWN, name)["environment"] for name in ("app", "migrate"))
    expected = {
        "BIND": "0.0.0.0:8000",
        "PORT": "8000",
        "DATABASE_URL": "postgresql+psycopg://app@postgres:5432/app",
        "PGHOST": "postgres",
        "PGPORT": "5432",
        "PGUSER": "app",
        "PGDATABASE": "app",
        "PG_OPTIONS": "search_path=app,public;jit=off",
        "GREETING": "it costs $$5, 100%",
        "HOME": "/tmp",
    }
    assert {name: app[name] for name in expected} == expected
    assert {name for name in app if app[name] != migrate.get(name)} == {
        "DATABASE_URL", "DB_PASSWORD_FILE", "PGUSER", "PG_STATEMENT_TIMEOUT"
    }  # fmt: skip
    assert migrate["DATABASE_URL"] == "postgresql+psycopg://owner@postgres:5432/app"
    assert migrate["DB_PASSWORD_FILE"] == "/run/secrets/owner_password"
    assert migrate["PG_STATEMENT_TIMEOUT"] == "0"


def test_every_name_that_stackctl_gives_is_refused_to_the_user():
    section = replace(OWN, metrics_port=9000, env={})
    given = environment.app(sized(), with_app(place_of_containers(), section), section)
    assert set(given) == CONTRACT - {"STACKCTL_HOME", "STACKCTL_SERVICE"}


def test_another_user_is_that_of_the_migration_too():
    app = replace(OWN, user="1000:1001")
    assert {_service(app, name)["user"] for name in ("app", "migrate")} == {"1000:1001"}


@pytest.mark.parametrize(
    ("metrics", "published", "job"),
    [
        ({}, ["127.0.0.1:14444:8000"], None),
        ({"metrics_port": 8000}, ["127.0.0.1:14444:8000"], ("app:8000", None)),
        (
            {"metrics_port": 9000, "metrics_path": "/stats"},
            ["127.0.0.1:14444:8000", "127.0.0.1:14445:9000"],
            ("app:9000", "/stats"),
        ),
    ],
)
def test_metrics_are_scraped_and_published_where_the_app_has_them(metrics, published, job):
    app = replace(OWN, **metrics)
    files = by_path(compose_files(sized(), app=app, ports=Ports(app=14444, metrics=14445)))
    assert yaml.safe_load(files["compose.yaml"])["services"]["app"]["ports"] == published
    jobs = {each["job_name"]: each for each in yaml.safe_load(files["prometheus/prometheus.yml"])["scrape_configs"]}
    found = jobs.get("app")
    assert (found and (found["static_configs"][0]["targets"][0], found.get("metrics_path"))) == job


def test_the_reference_apps_files_are_not_rendered():
    tops = {path.split("/")[0] for path in by_path(compose_files(sized(), app=OWN))}
    assert {"app", "gunicorn"} & tops == set()
    assert {"compose.yaml", "postgres", "prometheus"} < tops


def test_docker_compose_accepts_it_without_a_word(tmp_path):
    write(tmp_path, compose_files(sized(), app=replace(OWN, health_command=("sh", "-c", "test $X"), metrics_port=9000)))
    variables = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(
        ["docker", "compose", "-f", str(tmp_path / "compose.yaml"), "config", "--quiet"],
        env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_supervisord_reads_it(tmp_path):
    root = tmp_path / "home"
    for name in ("run", "logs", "work"):
        (root / name).mkdir(parents=True)
    env = {"GREETING": "it's 100% ;x #1", "JSON": '{"a": 1}'}
    app = replace(OWN, port=4444, env=env, command=("sh", "-c", "echo 100% ;x '$BIND'"))
    (root / "supervisord.conf").write_text(by_path(embedded_files(sized(), root, app=app))["supervisord.conf"])
    options = ServerOptions()
    options.realize(["-c", str(root / "supervisord.conf"), "-n"], doc="")
    programs = {p.name: p for group in options.process_group_configs for p in group.process_configs}
    own, once = programs["app"], programs["migrate"]
    assert shlex.split(own.command) == ["/srv/shop/bin/sh", "-c", "echo 100% ;x '127.0.0.1:4444'"]
    assert (own.directory, own.stopasgroup, own.killasgroup) == ("/srv/shop", True, True)
    assert {name: own.environment[name] for name in env} == env
    assert (own.environment["PORT"], own.environment["PGHOST"]) == ("4444", "127.0.0.1")
    assert own.environment["PATH"] == "/srv/shop/bin"
    assert shlex.split(once.command) == ["/srv/shop/bin/flask", "db", "upgrade", "app"]
    assert (once.autostart, once.autorestart, once.startsecs) == (False, False, 0)
    assert once.environment["PGUSER"] == "owner"


@pytest.mark.parametrize(
    ("path", "answer", "well"),
    [("/health", 200, True), ("/health", 302, True), ("/health", 404, False), ("", 404, True), ("", 500, False)],
)
def test_the_health_check_of_a_container_asks_the_page(path, answer, well):
    asked = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(answer)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

        def log_message(self, *_words):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        kind, python, *words = health_check(replace(OWN, port=server.server_port, health_path=path))
        done = subprocess.run([sys.executable, *words], check=False, timeout=30)
        server.shutdown()
    assert (kind, python) == ("CMD", "python")
    assert asked == [path or "/"]
    assert (done.returncode == 0) is well


def test_an_image_without_python_has_its_own_check():
    assert health_check(replace(OWN, health_command=("wget", "-q"))) == ["CMD", "wget", "-q"]
