"""Names of the images that are built here."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from stackctl import assets
from stackctl.errors import ImageUnavailable
from stackctl.images import catalog
from stackctl.images.content import context_hash
from stackctl.images.debian import build_argv
from stackctl.images.model import Image, Recipe

STACK = assets.root() / "stack"


def test_every_service_has_a_recipe_that_exists() -> None:
    found = catalog.recipes(STACK)
    assert sorted(found) == ["alertmanager", "pgbouncer", "postgres", "postgres-exporter", "prometheus"]
    for recipe in found.values():
        assert recipe.dockerfile.is_file()
        assert recipe.base == "stackctl/base:trixie"


def test_the_app_is_built_from_the_context_it_is_given() -> None:
    recipe = catalog.app_recipe(STACK, Path("/project/app"), "python:3.13-slim-trixie")
    assert recipe.dockerfile.is_file()
    assert recipe.context == Path("/project/app")
    assert recipe.base == "python:3.13-slim-trixie"


def test_tags_carry_the_version_for_people_and_the_content() -> None:
    assert catalog.reference("postgres", "0123456789ab") == "stackctl/postgres:17-0123456789ab"
    assert catalog.reference("prometheus", "0123456789ab") == "stackctl/prometheus:2.53-0123456789ab"
    assert catalog.reference("app", "0123456789ab") == "stackctl/app:0123456789ab"


def test_images_join_recipes_and_hashes() -> None:
    recipe = Recipe(Path("/s/Dockerfile"), Path("/s"), "stackctl/base:trixie")
    expected = Image("pgbouncer", "stackctl/pgbouncer:1.24-aaaaaaaaaaaa", "debian", recipe)
    assert catalog.images({"pgbouncer": recipe}, {"pgbouncer": "aaaaaaaaaaaa"}) == (expected,)


def test_grafana_is_named_as_missing_with_the_reason() -> None:
    assert [absent.service for absent in catalog.ABSENT] == ["grafana"]
    assert "Grafana" in catalog.ABSENT[0].reason


def test_only_the_major_that_debian_has() -> None:
    catalog.require_major(17)
    with pytest.raises(ImageUnavailable) as caught:
        catalog.require_major(18)
    assert caught.value.exit_code == 22
    assert "--pg 17" in caught.value.hint


def test_the_scheduler_is_built_on_the_database_from_the_package_itself() -> None:
    recipe = catalog.scheduler_recipe(assets.root(), assets.PACKAGE, "postgres:18.6-trixie")
    assert recipe.dockerfile.is_file()
    assert recipe.base == "postgres:18.6-trixie"
    folders = dict(recipe.others)
    assert (folders["stackctl"] / "cli" / "main.py").is_file()
    assert (folders["recovery"] / "restore-wal").is_file()
    argv = build_argv("stackctl/scheduler:1", recipe)
    assert f"stackctl={assets.PACKAGE}" in argv[argv.index("--build-context") + 1]


def test_a_change_in_a_further_folder_is_another_image(tmp_path: Path) -> None:
    for name in ("context", "more"):
        (tmp_path / name).mkdir()
    dockerfile = tmp_path / "context" / "Dockerfile"
    dockerfile.write_text("FROM x\n")
    others = (("more", tmp_path / "more"),)

    def content() -> str:
        return context_hash(dockerfile, tmp_path / "context", "x", others)

    before = content()
    (tmp_path / "more" / "file").write_text("a")
    changed = content()
    (tmp_path / "more" / "file").write_text("b")
    assert len({before, changed, content()}) == 3


def test_the_schedulers_requirements_are_the_projects() -> None:
    project = tomllib.loads((assets.root() / "pyproject.toml").read_text())["project"]["dependencies"]
    lines = (STACK / "images" / "scheduler" / "requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    assert wanted
    assert set(wanted) <= set(project)


def test_what_the_scheduler_runs_imports_nothing_that_its_image_lacks() -> None:
    """Also what pgBackRest needs is imported there, as one protocol is for all backups."""
    modules = ("scheduling.service", "backup", "backups.drill", "backups.expire", "backups.dump", "restore", "exporter")
    lines = "; ".join(f"import stackctl.operations.{name}" for name in modules)
    script = f"import sys; {lines}; import stackctl.engine.inside.engine; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert {"pydantic", "yaml", "stackctl.backup.pgbackrest.engine"} <= set(done.stdout.split())
    assert {"jinja2", "docker", "supervisor"} & set(done.stdout.split()) == set()
