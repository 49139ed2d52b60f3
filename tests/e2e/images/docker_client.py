"""Docker as the tests use it: every container, volume and network that is made can be removed again."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stackctl.errors import EngineFailed


class ShellRunner:
    """Runs commands for the tests; the product's runner belongs to another layer."""

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        input: str | None = None,
        timeout: float | None = None,
        check: bool = True,
        quiet: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        full = {**os.environ, **(env or {})}
        # Without input a child would read the terminal's, and one that waits there never ends.
        given = input if input is not None else ""
        done = subprocess.run(
            argv, env=full, cwd=cwd, input=given, timeout=timeout, capture_output=True, text=True, check=False
        )
        if check and done.returncode != 0:
            raise EngineFailed(f"{' '.join(argv)}: {(done.stdout + done.stderr)[-3000:]}", hint="")
        return done


@dataclass
class Docker:
    """The engine, and every container, volume and network that this test made."""

    prefix: str = field(default_factory=lambda: f"stackctl-test-{uuid.uuid4().hex[:8]}")
    made: list[tuple[str, str]] = field(default_factory=list)
    runner: ShellRunner = field(default_factory=ShellRunner)

    def __call__(self, *words: str, check: bool = True, timeout: float = 120) -> str:
        """Standard output and standard error of one docker command, together."""
        done = self.runner.run(["docker", *words], check=check, timeout=timeout)
        return (done.stdout + done.stderr).strip()

    def succeeds(self, *words: str) -> bool:
        """Whether one docker command exits 0."""
        return self.runner.run(["docker", *words], check=False, timeout=60).returncode == 0

    def name(self, kind: str, word: str) -> str:
        """A name nobody else uses, remembered for removal."""
        name = f"{self.prefix}-{word}"
        self.made.append((kind, name))
        return name

    def volume(self, word: str) -> str:
        """A new named volume."""
        name = self.name("volume", word)
        self("volume", "create", name)
        return name

    def network(self, word: str) -> str:
        """A new bridge network without a way out."""
        name = self.name("network", word)
        self("network", "create", "--internal", name)
        return name

    def start(self, word: str, image: str, *options: str, command: Sequence[str] = ()) -> str:
        """A container in the background; returns its name."""
        name = self.name("container", word)
        self("run", "--detach", "--name", name, *options, image, *command)
        return name

    def state(self, name: str, template: str = "{{.State.Status}}") -> str:
        """One field of a container's state."""
        return self("inspect", "--format", template, name)

    def clean(self) -> None:
        """Remove what was made, containers before the volumes and networks they hold."""
        remove = {"container": ["rm", "--force"], "volume": ["volume", "rm"], "network": ["network", "rm"]}
        for kind, words in remove.items():
            for _, name in (item for item in self.made if item[0] == kind):
                self(*words, name, check=False)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Return when `condition` holds; fail the test when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.2)
