"""The shape of the control plane: layers, sizes, and one home for each framework."""

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "control" / "stackctl"
MODULES = sorted(SOURCE.rglob("*.py"))
# framework -> the files that may import it, from the package's folder
HOMES = {
    "subprocess": ("engine/runner.py",),
    "jinja2": ("render/",),
    "docker": ("engine/docker/containers.py",),
    "typer": ("cli/",),
    "rich": ("cli/",),
    "pydantic": ("settings/",),
    "yaml": ("settings/", "render/"),
    "dotenv": ("settings/",),
    "supervisor": ("engine/embedded/",),
}
PURE = (
    "sizing",
    "units.py",
    "health/checks.py",
    "health/configuration.py",
    "health/drift.py",
    "health/host.py",
    "health/running.py",
    "operations/changes.py",
    "operations/drift.py",
    "engine/docker/argv.py",
)
IMPURE = {"os", "subprocess", "time", "socket", "random", "logging", "jinja2", "yaml", "docker", "typer"}


def _name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def _imports(path: Path) -> Iterator[str]:
    """The topmost names of all that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            yield node.name, node.end_lineno - node.lineno + 1


def test_the_layers_hold():
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("framework", HOMES)
def test_each_framework_has_one_home(framework):
    users = [_name(path) for path in MODULES if framework in _imports(path)]
    assert users
    assert [name for name in users if not name.startswith(HOMES[framework])] == []


@pytest.mark.parametrize("path", [path for path in MODULES if _name(path).startswith(PURE)], ids=_name)
def test_pure_modules_import_nothing_that_acts(path):
    assert set(_imports(path)) & IMPURE == set()


def test_modules_are_short():
    lengths = {_name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 300} == {}
    assert statistics.median(length for length in lengths.values() if length) <= 100


def test_functions_are_short():
    lengths = {f"{_name(path)}:{name}": length for path in MODULES for name, length in _functions(path)}
    assert {name: length for name, length in lengths.items() if length > 40} == {}


def test_modules_have_names_that_say_something():
    bad = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
    assert [_name(path) for path in MODULES if bad & {path.stem, *path.relative_to(SOURCE).parts}] == []


def test_the_command_line_is_the_only_one_that_prints():
    printing = [
        _name(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []
