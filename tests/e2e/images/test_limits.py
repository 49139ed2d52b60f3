"""Real limits, set by Docker and by hand, as a process under them sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.images.docker_client import Docker, ShellRunner
from stackctl import assets
from stackctl.hardware import detect
from stackctl.images import base as base_image
from stackctl.images import catalog, debian

CONTROL = Path(detect.__file__).parents[2]
MIB = 2**20
# All that the code under test needs is the standard library.
LOOK = """\
import json, pathlib
from stackctl.hardware import detect
host = detect.detect(pathlib.Path("/tmp"))
print(json.dumps([host.ram, host.cpus, detect.available_memory(), host.ram_source, host.cpus_source]))
"""


@pytest.fixture(scope="module")
def python_image(base: ShellRunner, app_options: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app's image around an empty app: an image with a Python in it."""
    context = tmp_path_factory.mktemp("context")
    (context / "app").mkdir()
    (context / "app" / "__init__.py").touch()
    (context / "requirements.txt").write_text("# nothing\n")
    recipe = catalog.app_recipe(assets.root() / "stack", context, base_image.REFERENCE)
    image = catalog.images({"app": recipe}, catalog.hashes({"app": recipe}))[0]
    debian.ensure_built(base, debian.build_plan([image], app_options), print)
    yield image.reference
    base.run(["docker", "image", "rm", image.reference], check=False, timeout=60)


def idle(docker: Docker, image: str, *options: str) -> str:
    """A container that waits to be looked from."""
    mounted = ("-v", f"{CONTROL}:/control:ro", "-e", "PYTHONPATH=/control")
    return docker.start("limited", image, *mounted, *options, command=["sleep", "300"])


def look(docker: Docker, name: str) -> tuple[int, int, int, str, str]:
    """RAM, CPUs, available memory and their sources inside a container."""
    ram, cpus, available, ram_source, cpus_source = json.loads(docker("exec", name, "python3", "-c", LOOK))
    return ram, cpus, available, ram_source, cpus_source


@pytest.mark.parametrize("namespace", ["host", "private"])
def test_a_container_sees_its_own_limits(docker: Docker, python_image: str, namespace: str) -> None:
    """With a view of its own on the cgroups and without one."""
    limits = ("--memory", "1g", "--cpus", "1.5", "--cgroupns", namespace)
    ram, cpus, available, source, _ = look(docker, idle(docker, python_image, *limits))
    assert (ram, cpus) == (1024 * MIB, 1)
    assert 900 * MIB < available < 1024 * MIB
    assert source.startswith("limit in /sys/fs/cgroup/")


def test_a_limit_that_changed_is_seen_at_the_next_look(docker: Docker, python_image: str) -> None:
    name = idle(docker, python_image, "--memory", "1g", "--memory-swap", "1g")
    assert look(docker, name)[0] == 1024 * MIB
    docker("update", "--memory", "768m", "--memory-swap", "768m", name)
    assert look(docker, name)[0] == 768 * MIB


def test_a_container_without_limits_sees_the_machine(docker: Docker, python_image: str) -> None:
    ram, cpus, _, source, cpus_source = look(docker, idle(docker, python_image))
    assert (ram, cpus) == (detect.memory() // MIB * MIB, detect.cpus())
    assert (source, cpus_source) == (detect.ram_source(), detect.cpus_source())


@pytest.fixture
def nested() -> Iterator[tuple[Path, Path]]:
    """Two cgroups of this machine, one in the other, of whichever version has the memory here."""
    top = next((path for path in map(Path, ("/sys/fs/cgroup/memory", "/sys/fs/cgroup")) if _has_memory(path)), None)
    if os.geteuid() != 0 or top is None or not os.access(top, os.W_OK):
        pytest.skip("no cgroups can be made here: not root, or they are read-only")
    outer = top / f"stackctl-test-{os.getpid()}"
    inner = outer / "inner"
    outer.mkdir()
    try:
        if (outer / "cgroup.subtree_control").exists():
            (outer / "cgroup.subtree_control").write_text("+memory")
        inner.mkdir()
        yield outer, inner
    finally:
        for folder in (inner, outer):
            if folder.is_dir():
                folder.rmdir()


def _has_memory(path: Path) -> bool:
    subtree = path / "cgroup.subtree_control"
    return (path / "memory.limit_in_bytes").exists() or (subtree.exists() and "memory" in subtree.read_text().split())


def look_from(group: Path) -> int:
    """The RAM that a process in `group` detects."""
    enter = f"import os; open({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
    argv = [sys.executable, "-c", enter + LOOK]
    done = subprocess.run(
        argv, env={**os.environ, "PYTHONPATH": str(CONTROL)}, capture_output=True, text=True, check=True
    )
    return int(json.loads(done.stdout)[0])


def limit(group: Path, size: int) -> None:
    """Set the limit of a cgroup of either version."""
    name = "memory.limit_in_bytes" if (group / "memory.limit_in_bytes").exists() else "memory.max"
    (group / name).write_text(str(size))


def test_a_nested_cgroup_without_a_namespace(nested: tuple[Path, Path]) -> None:
    """As a systemd service in a slice: the parent's limit holds, until the service has a lower one."""
    outer, inner = nested
    assert look_from(inner) == detect.memory() // MIB * MIB
    limit(outer, 700 * MIB)
    assert (look_from(outer), look_from(inner)) == (700 * MIB, 700 * MIB)
    limit(inner, 600 * MIB)
    assert (look_from(outer), look_from(inner)) == (700 * MIB, 600 * MIB)
