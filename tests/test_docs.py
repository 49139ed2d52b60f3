"""The documents say what is there: links, options, exit codes, keys, variables, metrics, test files."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from stackctl import errors
from stackctl.cli import main
from stackctl.operations.plan import CHANGES_PENDING
from stackctl.operations.result import INTERRUPTED
from stackctl.settings.app_section import CONTRACT
from stackctl.settings.environment import NAMES

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
_FENCE = re.compile(r"^( *)```.*?^\1```\s*?$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
# In pieces, so that this file may be looked at too.
_MACHINE_PATHS = re.compile(r"(?<![\w./}])/(?:ro" + r"ot|wo" + r"rk)/")
_PACKAGE_HOSTS = re.compile("|".join(("deb[.]debian[.]o" + "rg", "pypi[.]o" + "rg", "registry[.]np" + "mjs")))


def tracked() -> list[Path]:
    """Every file that belongs to the project, those not yet committed too."""
    argv = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    return [ROOT / name for name in sorted(listed) if name and (ROOT / name).is_file()]


def documents() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def prose(path: Path) -> str:
    """A document without its blocks of code and output."""
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """The anchors that a forge makes of the headings."""
    found = re.findall(r"(?m)^#+ (.+)$", prose(path))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in found}


def sections(path: Path) -> dict[str, str]:
    """Text below each heading of the second level, by heading."""
    parts = re.split(r"(?m)^## (.+)$", path.read_text(encoding="utf-8"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options(command: object) -> set[str]:
    """The long options of a command of the Typer application."""
    params = command.params  # type: ignore[attr-defined]
    return {name for param in params for name in param.opts if name.startswith("--")} - {"--help"}


APPLICATION = typer.main.get_command(main.build())
COMMANDS = APPLICATION.commands  # type: ignore[attr-defined]
GLOBAL = options(APPLICATION)
PROFILE = options(COMMANDS["doctor"])


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for target in _LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        goal = (path.parent / file).resolve() if file else path
        assert goal.exists(), f"{target}: no such file"
        assert goal.is_relative_to(ROOT), f"{target}: outside the project"
        assert not anchor or anchor in anchors(goal), f"{target}: no such heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        targets = (target.partition("#")[0] for target in _LINK.findall(prose(path)))
        waiting += [(path.parent / file).resolve() for file in targets if file.endswith(".md") and ":" not in file]
    unreached = {path.relative_to(ROOT).as_posix() for path in documents()} - {
        path.relative_to(ROOT).as_posix() for path in reached
    }
    assert unreached <= {"CHANGELOG.md"}


def test_every_command_has_its_section() -> None:
    found = {heading for heading in sections(REFERENCE / "cli.md") if not heading[0].isupper() and " " not in heading}
    assert found == set(COMMANDS)


def table_options(text: str) -> set[str]:
    """The options in the first column of a section's table."""
    return {option for row in re.findall(r"(?m)^\| (`--[^|]*)\|", text) for option in _OPTION.findall(row)}


def test_options_of_all_commands() -> None:
    assert table_options(sections(REFERENCE / "cli.md")["Options of all commands"]) == GLOBAL | {"--help"}


def test_profile_options() -> None:
    assert table_options(sections(REFERENCE / "cli.md")["Profile options"]) == PROFILE


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_options_of_each_command(name: str) -> None:
    own, text = options(COMMANDS[name]), sections(REFERENCE / "cli.md")[name]
    assert ("[profile options]" in text) == (own >= PROFILE)
    assert table_options(text) == (own - PROFILE if own >= PROFILE else own)


def unknown(told: str) -> set[str]:
    """The command and the options in a command line, the words behind `stackctl`, that it does not have."""
    words = re.sub(r"^--project \S+ ", "", told).split()
    command = COMMANDS.get(words[0].strip(".,"))
    if command is None:
        return {words[0]}
    known, below = options(command), getattr(command, "commands", {})
    if len(words) > 1 and words[1].strip(".,") in below:
        known = options(below[words[1].strip(".,")])
    return set(_OPTION.findall(told)) - known - GLOBAL - {"--help"}


def test_no_document_names_an_option_that_its_command_does_not_have() -> None:
    for path in documents():
        text = path.read_text(encoding="utf-8")
        told = re.findall(r"(?m)^ *(?:\$ )?stackctl (\S[^#|;\n]*)", text) + re.findall(
            r"`stackctl ([a-z][^`#|;]*)`", text
        )
        assert {line: unknown(line) for line in told if line[0] != "[" and unknown(line)} == {}, path.relative_to(ROOT)


def hints() -> Iterator[str]:
    """The words of each hint; what is put into them counts as one word."""
    for path in (ROOT / "control").rglob("*.py"):
        given = (
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.keyword) and node.arg == "hint"
        )
        for hint in given:
            pieces = (each for each in ast.walk(hint) if isinstance(each, ast.Constant) and isinstance(each.value, str))
            yield "VALUE".join(piece.value for piece in pieces)


def test_no_hint_names_a_command_or_an_option_that_does_not_exist() -> None:
    told = [line for hint in hints() for line in re.findall(r"\bstackctl ([a-z].*?)(?: and |[;,(:]|$)", hint)]
    assert len(told) > 90, "they are found"
    assert {line: unknown(line) for line in told if unknown(line)} == {}


def exit_codes() -> Iterator[int]:
    waiting: list[type[errors.StackError]] = [errors.StackError]
    while waiting:
        kind = waiting.pop()
        yield kind.exit_code
        waiting += kind.__subclasses__()


def test_every_exit_code_is_explained() -> None:
    rows = re.findall(r"(?m)^\| (\d+) \|", (REFERENCE / "exit-codes.md").read_text(encoding="utf-8"))
    known = {0, main.DEFECT, main.USAGE, INTERRUPTED, CHANGES_PENDING, *exit_codes()}
    assert sorted(int(row) for row in rows) == sorted(known)


def test_every_kind_of_error_stands_beside_its_exit_code() -> None:
    page = (REFERENCE / "exit-codes.md").read_text(encoding="utf-8")
    for kind in errors.StackError.__subclasses__():
        assert re.search(rf"(?m)^\| {kind.exit_code} \|.*`{kind.code}`", page), kind.__name__


def schema_keys() -> set[str]:
    schema = json.loads((ROOT / "config" / "stackctl.schema.json").read_text(encoding="utf-8"))
    keys = set(schema["properties"])
    for name, section in schema["$defs"].items():
        prefix = "alerts.receivers.NAME" if name == "AlertReceiver" else name.lower()
        keys |= {f"{prefix}.{key}" for key in section["properties"]}
    return keys


def test_every_key_of_the_project_file_is_listed_and_no_other() -> None:
    rows = re.findall(r"(?m)^\| (`[^|]*)\|", (REFERENCE / "project-file.md").read_text(encoding="utf-8"))
    assert {key for row in rows for key in re.findall(r"`([a-zA-Z_.]+)`", row)} == schema_keys()


def test_every_variable_is_listed() -> None:
    page = set(re.findall(r"`([A-Z][A-Z_]+)`", (REFERENCE / "environment.md").read_text(encoding="utf-8")))
    sources = ("stack/app/app/settings.py", "stack/app/app/migrate.py", "config/gunicorn/gunicorn.conf.py")
    read = {name for file in sources for name in re.findall(r'"([A-Z]+_[A-Z_]+|BIND)"', (ROOT / file).read_text())}
    assert page == {*NAMES, *read, "NO_COLOR"}


def test_every_variable_of_the_apps_contract_is_listed() -> None:
    page = (REFERENCE / "app-contract.md").read_text(encoding="utf-8")
    assert set(re.findall(r"(?m)^\| `([A-Z_]+)` \|", page)) == CONTRACT


def test_every_metric_of_the_app_is_listed() -> None:
    source = (ROOT / "stack" / "app" / "app" / "metrics.py").read_text(encoding="utf-8")
    page = (REFERENCE / "api.md").read_text(encoding="utf-8")
    made = re.findall(r'(Counter|Gauge|Histogram)\(\s*"(\w+)"', source)
    names = {name + ("_total" if kind == "Counter" else "") for kind, name in made}
    assert set(re.findall(r"(?m)^\| `(\w+)(?:\{[^}]*\})?` \|", page)) == names


def test_every_test_that_a_document_names_exists() -> None:
    for path in documents():
        for name in re.findall(r"tests/[\w/]+\.py", path.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file(), f"{path.relative_to(ROOT)}: {name}"


def test_no_path_of_a_machine_and_no_package_host() -> None:
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for pattern in (_MACHINE_PATHS, _PACKAGE_HOSTS):
            match = pattern.search(text)
            assert match is None, f"{path.relative_to(ROOT)}: {match[0] if match else ''}"
