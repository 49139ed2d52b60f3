"""The app's Dockerfile with a tiny package: what is lent to the build must not stay in the image."""

from __future__ import annotations

from pathlib import Path

from e2e.images.docker_client import Docker, ShellRunner
from e2e.images.hardening import tmpfs, user
from stackctl import assets
from stackctl.images import base as base_image
from stackctl.images import catalog, debian


def test_the_app_image(docker: Docker, base: ShellRunner, app_options: list[str], tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("import gunicorn\nprint('gunicorn', gunicorn.__version__)\n")
    # As a checkout under `umask 077` leaves it.
    (tmp_path / "app" / "__init__.py").chmod(0o600)
    (tmp_path / "app").chmod(0o700)
    # The comment makes the context, and so the tag, this test's own.
    (tmp_path / "requirements.txt").write_text(f"# {docker.prefix}\ngunicorn>=27,<28\n")
    recipe = catalog.app_recipe(assets.root() / "stack", tmp_path, base_image.REFERENCE)
    image = catalog.images({"app": recipe}, catalog.hashes({"app": recipe}))[0]
    try:
        debian.ensure_built(base, debian.build_plan([image], app_options), print)
        options = ("run", "--rm", *user(10001, 10001), *tmpfs("/tmp", 10001))
        assert docker(*options, image.reference, "python", "-c", "import app").startswith("gunicorn 27.")
        assert docker(*options, image.reference, "id", "-u") == "10001"
        left = docker(*options, image.reference, "sh", "-c", "ls -A /run/secrets /etc/pip.conf || true")
        assert "No such file" in left
        assert "ca-certificates.crt" not in left
        assert debian.ensure_built(base, debian.build_plan([image], app_options), print) == ()
    finally:
        docker("image", "rm", image.reference, check=False)
