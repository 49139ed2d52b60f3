"""The alert rules against Prometheus's own judge: each is seen to fire, and to stay silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.images.docker_client import ShellRunner
from stackctl import assets

RULES = assets.root() / "config" / "prometheus" / "rules"
CASES = Path(__file__).parents[2] / "alerts"


def promtool(runner: ShellRunner, image: str, *words: str) -> str:
    # The places that the cases' relative paths to the rules are made for.
    mounts = ["--volume", f"{RULES}:/config/prometheus/rules:ro", "--volume", f"{CASES}:/tests/alerts:ro"]
    argv = ["docker", "run", "--rm", "--network", "none", *mounts, "--entrypoint", "promtool", image, *words]
    done = runner.run(argv, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("topic", sorted(path.stem for path in RULES.glob("*.yml")))
def test_promtool_finds_nothing_in_the_rules(base: ShellRunner, built: dict[str, str], topic: str) -> None:
    place = f"/config/prometheus/rules/{topic}.yml"
    assert "SUCCESS" in promtool(base, built["prometheus"], "check", "rules", "--lint=all", "--lint-fatal", place)


@pytest.mark.parametrize("topic", sorted(path.stem for path in CASES.glob("*.yml")))
def test_alerts_fire_and_stay_silent(base: ShellRunner, built: dict[str, str], topic: str) -> None:
    assert "SUCCESS" in promtool(base, built["prometheus"], "test", "rules", f"/tests/alerts/{topic}.yml")
