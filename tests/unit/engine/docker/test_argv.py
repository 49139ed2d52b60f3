"""Command lines of Docker Compose."""

import subprocess
from pathlib import Path

import pytest

from stackctl.engine.docker import argv


def test_a_project_is_named_and_never_guessed_from_the_folder(tmp_path):
    folder = tmp_path / "my shop"
    folder.mkdir()
    (folder / "compose.yaml").touch()
    assert argv.compose("shop", folder, "ps") == [
        "docker", "compose",
        "--project-name", "shop",
        "--project-directory", f"{tmp_path}/my shop",
        "--file", f"{tmp_path}/my shop/compose.yaml",
        "ps",
    ]  # fmt: skip


def test_without_its_file_a_project_is_found_by_its_name():
    assert argv.compose("shop", Path("/nowhere"), "down") == ["docker", "compose", "--project-name", "shop", "down"]


def test_up_waits_for_the_named_services_and_builds_nothing():
    words = argv.up(["postgres", "app"], 90)
    assert words[0] == "up"
    assert {"--detach", "--remove-orphans", "--no-build", "--wait"} <= set(words)
    assert words[words.index("--wait-timeout") + 1] == "90"
    assert words[-2:] == ["postgres", "app"]


def test_only_destroying_removes_volumes():
    assert "--volumes" not in argv.down(destroy=False)
    assert "--volumes" in argv.down(destroy=True)


def test_psql_reads_no_start_file_and_asks_no_terminal():
    words = argv.psql("app", "-c", "SELECT 1")
    assert words[:5] == ["exec", "-T", "--env", "PGOPTIONS=-c synchronous_commit=local", "postgres"]
    assert {"-X", "-A", "-t", "-q"} <= set(words)
    assert words[-4:] == ["-d", "app", "-c", "SELECT 1"]


@pytest.mark.parametrize(
    "words", [argv.up([], 1), argv.down(destroy=True), ["exec", "-T"], ["logs", "--no-log-prefix"]]
)
def test_docker_compose_knows_every_option(words):
    """Its help names them; an option that it lacks would only fail on a live stack."""
    text = subprocess.run(["docker", "compose", words[0], "--help"], capture_output=True, text=True, check=True).stdout
    for option in words[1:]:
        if option.startswith("-"):
            assert f"{option} " in text or f"{option}," in text, option
