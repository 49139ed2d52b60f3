"""Migrations of the reference app; an app of the user's own has a program for them."""

from __future__ import annotations

from stackctl.engine.embedded.home import Home
from stackctl.engine.embedded.transplant import python_path
from stackctl.engine.runner import Runner
from stackctl.render import environment
from stackctl.render.model import Place


def migrate(home: Home, place: Place, runner: Runner) -> None:
    """Bring the database to the app's schema. Raises EngineFailed."""
    runner.run(
        [python_path(home), "-m", "app.migrate"],
        cwd=home.config / "app",
        env={**environment.owner(place), "PYTHONDONTWRITEBYTECODE": "1"},
        user=home.user,
        clean=True,
        timeout=120,
    )
