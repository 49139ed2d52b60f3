"""Panels that could lie, judged by Prometheus's own program: idle, restarted, gone, and very many tables."""

from __future__ import annotations

import json
from pathlib import Path

from dashboard_cases import document
from e2e.images.docker_client import ShellRunner


def test_panels_say_what_is_so(base: ShellRunner, built: dict[str, str], tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "cases.yml").write_text(json.dumps(document()))
    words = ["--network", "none", "--volume", f"{tmp_path}:/cases:ro", "--entrypoint", "promtool"]
    argv = ["docker", "run", "--rm", *words, built["prometheus"], "test", "rules", "/cases/cases.yml"]
    done = base.run(argv, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
