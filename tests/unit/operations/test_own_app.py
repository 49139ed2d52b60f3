"""The user's own app on the engine that was chosen: one port or two, and what is missing."""

from dataclasses import replace

import pytest

from stackctl.errors import ProfileError
from stackctl.hardware.model import PORTABLE_BUILD
from stackctl.operations.engines import Choice, choose
from stackctl.operations.own_app import app_for_engine, host_ports, metrics_url
from stackctl.operations.project import open_project, sized
from stackctl.operations.result import Request
from stackctl.settings.app_section import REFERENCE_APP, AppSection
from stackctl.sizing.model import REFUSED


def _opened(tmp_path, text):
    (tmp_path / "stackctl.yaml").write_text(text)
    return open_project(Request(str(tmp_path)))


def _on(engine, tmp_path, text):
    return app_for_engine(_opened(tmp_path, text).settings, engine)


def _refused(engine, tmp_path, text):
    with pytest.raises(ProfileError) as caught:
        _on(engine, tmp_path, text)
    assert caught.value.exit_code == 10
    (problem,) = caught.value.problems
    return problem.message, problem.hint


def test_the_reference_app_is_left_alone(tmp_path):
    opened = _opened(tmp_path, "ports: {app: 5000}\n")
    assert app_for_engine(opened.settings, "docker") == app_for_engine(opened.settings, "embedded") == opened.settings
    assert host_ports(opened.settings)["metrics"] == 4445


@pytest.mark.parametrize(
    ("text", "docker", "embedded"),
    [
        ("", (4444, 4444), (4444, 4444)),
        ("port: 8000", (8000, 4444), (8000, 8000)),
        ("port: 8000}\nports: {app: 8000", (8000, 8000), (8000, 8000)),
        ("}\nports: {app: 9000", (4444, 9000), (9000, 9000)),
    ],
)
def test_without_a_container_the_two_ports_are_one(tmp_path, text, docker, embedded):
    text = f"app: {{image: x, command: y, {text}}}\n"
    for engine, expected in (("docker", docker), ("embedded", embedded)):
        settings = _on(engine, tmp_path, text)
        assert (settings.app.port, settings.ports.app) == expected


def test_two_different_ports_need_a_container(tmp_path):
    text = "app: {image: x, command: y, port: 8000}\nports: {app: 9000}\n"
    settings = _on("docker", tmp_path, text)
    assert (settings.app.port, settings.ports.app) == (8000, 9000)
    message, hint = _refused("embedded", tmp_path, text)
    assert message.startswith("stackctl.yaml:1: app.port: 8000 is not ports.app, 9000")
    assert hint == "give only one of app.port and ports.app"


def test_metrics_follow_the_same_rule_and_may_be_on_the_apps_port(tmp_path):
    base = "app: {command: y, port: 8000, metrics_port: "
    settings = _on("embedded", tmp_path, f"{base}9000}}\n")
    assert (settings.app.metrics_port, settings.ports.metrics, host_ports(settings)["metrics"]) == (9000, 9000, 9000)
    settings = _on("embedded", tmp_path, f"{base}8000}}\nports: {{metrics: 7000}}\n")
    assert settings.app.metrics_port == 8000
    assert "metrics" not in host_ports(settings)
    message, _ = _refused("embedded", tmp_path, f"{base}9000}}\nports: {{metrics: 7000}}\n")
    assert message.startswith("stackctl.yaml:1: app.metrics_port: 9000 is not ports.metrics, 7000")


def test_an_app_without_metrics_is_not_asked_for_them():
    # At the default port may be another stack's.
    ports = {"app": 1, "metrics": 2}
    assert metrics_url(REFERENCE_APP, ports) == "http://127.0.0.1:2/metrics"
    assert metrics_url(AppSection(image="x", port=8000), ports) == ""
    own = AppSection(image="x", port=8000, metrics_port=9000, metrics_path="/stats")
    assert metrics_url(own, ports) == "http://127.0.0.1:2/stats"
    assert metrics_url(replace(own, metrics_port=8000), ports) == "http://127.0.0.1:1/stats"


def test_a_port_of_another_service_is_refused(tmp_path):
    message, _ = _refused("embedded", tmp_path, "app: {command: y, port: 5432}\n")
    assert message == "stackctl.yaml: app.port: 5432 is another service's"
    # Its port for metrics is free, as it has none.
    assert _on("embedded", tmp_path, "app: {command: y, port: 4445}\n").ports.app == 4445


def test_each_engine_names_what_it_cannot_do_without(tmp_path):
    message, hint = _refused("docker", tmp_path, "app:\n  command: y\n")
    assert message.startswith("stackctl.yaml:2: app.command: app.image is missing")
    assert hint == "give app.image too, or use --engine embedded"
    message, hint = _refused("embedded", tmp_path, "app:\n  image: x\n")
    assert message.startswith("stackctl.yaml:2: app.image: app.command is missing")
    assert hint == "give app.command too, or use --engine docker"


def test_a_command_without_an_image_chooses_the_embedded_engine(tmp_path):
    # No engine is asked, so there is no runner.
    assert choose(_opened(tmp_path, "app: {command: y}\n"), None) == Choice(
        "embedded", "", "stackctl.yaml has app.command and no app.image"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{serch_path: app}", "pool.options.serch_path: PostgreSQL 18 has no parameter 'serch_path'"),
        ("{jit: maybe}", "pool.options.jit: jit:"),
        ("{shared_buffers: 1GB}", "pool.options.shared_buffers: shared_buffers is not for a session to set"),
        ("{work_mem: 64GB}", "pool.options.work_mem: work_mem of the app's sessions would not be in the memory proof"),
    ],
)
def test_options_that_would_keep_every_session_out_or_break_the_proof(tmp_path, options, message):
    opened = _opened(tmp_path, f"profile: {{ram: 4G, disk: 20G}}\npool: {{options: {options}}}\n")
    with pytest.raises(ProfileError) as caught:
        sized(opened.settings, PORTABLE_BUILD)
    assert [problem.message.split(": ", 1)[1][: len(message)] for problem in caught.value.problems] == [message]


def test_options_behind_a_pooler_are_refused_before_anything_is_changed(tmp_path):
    text = "profile: {ram: 4G, disk: 20G, pooler: pgbouncer}\npool: {options: {jit: off, search_path: app}}\n"
    with pytest.raises(ProfileError) as caught:
        sized(_opened(tmp_path, text).settings, PORTABLE_BUILD)
    [problem] = caught.value.problems
    assert problem.message.startswith("stackctl.yaml:2: pool.options.jit: PgBouncer passes no options on")
    assert "jit, search_path" in problem.hint


def test_options_of_the_server_and_of_extensions(tmp_path):
    text = "profile: {ram: 4G, disk: 20G}\npool: {options: {search_path: 'app,public', my.setting: 7}}\n"
    sizing = sized(_opened(tmp_path, text).settings, PORTABLE_BUILD)
    assert not [warning for warning in sizing.warnings if warning.code in REFUSED]
