"""The alert rules against Prometheus's own judge: each is seen to fire, and to stay silent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from e2e.images.docker_client import ShellRunner
from stackctl import assets

RULES = assets.root() / "config" / "prometheus" / "rules"
CASES = Path(__file__).parents[2] / "alerts"


def promtool(runner: ShellRunner, image: str, *words: str) -> str:
    mounts = ["--volume", f"{RULES}:/rules:ro", "--volume", f"{CASES}:/cases:ro"]
    argv = ["docker", "run", "--rm", "--network", "none", *mounts, "--entrypoint", "promtool", image, *words]
    done = runner.run(argv, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("topic", sorted(path.stem for path in RULES.glob("*.yml")))
def test_alerts_fire_and_stay_silent(base: ShellRunner, built: dict[str, str], topic: str) -> None:
    promtool(base, built["prometheus"], "check", "rules", f"/rules/{topic}.yml")
    assert "SUCCESS" in promtool(base, built["prometheus"], "test", "rules", f"/cases/{topic}.yml")


def test_each_alert_has_a_firing_and_a_silent_case() -> None:
    for path in RULES.glob("*.yml"):
        cases = (CASES / path.name).read_text()
        for alert in re.findall(r"- alert: (\w+)", path.read_text()):
            assert re.search(rf"alertname: {alert}\n\s+exp_alerts:\n", cases), f"{alert} is never seen to fire"
            assert re.search(rf"alertname: {alert}, exp_alerts: \[\]", cases), f"{alert} is never seen silent"
