"""stackctl.yaml: read, checked against its schema with every fault at once, and given as a layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stackctl.errors import Problem, ProfileError
from stackctl.settings.layers import PROJECT_FILE, Given, Layer
from stackctl.settings.pins import PIN_KEYS
from stackctl.settings.project_schema import (
    AlertReceiver,
    Alerts,
    App,
    Backup,
    Pool,
    Ports,
    Profile,
    ProjectFile,
    Report,
)
from stackctl.settings.project_yaml import Document, read
from stackctl.settings.text_file import read_text
from stackctl.settings.values import Fault, nearest

_SECTIONS: dict[str, type[BaseModel]] = {
    "profile": Profile,
    "ports": Ports,
    "pool": Pool,
    "app": App,
    "report": Report,
    "backup": Backup,
    "alerts": Alerts,
}
# Mappings and command lines of the user's own, below their sections.
_VERBATIM = frozenset(
    {("app", name) for name in ("command", "health_command", "migrate", "env")} | {("pool", "options")}
)


def load(path: Path) -> Layer:
    """What the project file at `path` gives. Raises ProfileError with all its faults, in line order."""
    text = read_text(path)
    if text is None:
        return Layer()
    document = read(text, path.name, _VERBATIM)
    found = _validated(document, document.data)
    if document.problems:
        raise ProfileError.of(_ordered(document))
    return _layer(document, found)


def load_section(path: Path, section: str) -> Layer:
    """What one section of the project file gives; what is wrong with the others is nobody's business here.

    Raises ProfileError where the file is no YAML, or the section has faults.
    """
    text = read_text(path)
    if text is None:
        return Layer()
    document = read(text, path.name, _VERBATIM)
    found = _validated(document, {key: value for key, value in document.data.items() if key == section})
    if mine := [problem for problem in _ordered(document) if f": {section}" in problem.message]:
        raise ProfileError.of(mine)
    return _layer(document, found)


def _validated(document: Document, data: dict[str, Any]) -> dict[str, Any]:
    try:
        return ProjectFile.model_validate(data).model_dump(exclude_unset=True)
    except ValidationError as error:
        for details in error.errors():
            _report(document, details)
    return {}


def _ordered(document: Document) -> list[Problem]:
    return [problem for _, problem in sorted(document.problems, key=lambda entry: entry[0])]


def json_schema() -> dict[str, Any]:
    """The JSON schema of the file, for editors; config/stackctl.schema.json holds it."""
    schema: dict[str, Any] = _without_noise(ProjectFile.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": PROJECT_FILE, **schema}


def _without_noise(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_noise(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # An empty default only means "not given", and a generated title repeats the key.
    return {
        key: _without_noise(value)
        for key, value in schema.items()
        if not (key in ("title", "default") and not isinstance(value, dict))
    }


def _report(document: Document, details: ErrorDetails) -> None:
    path = tuple(str(part) for part in details["loc"] if part != "[key]")
    line, dotted = document.line(path), ".".join(path)
    fault = details.get("ctx", {}).get("error")
    if isinstance(fault, Fault):
        document.report(line, f"{dotted}: {fault}", fault.hint, "bad_value")
    elif details["type"] == "extra_forbidden":
        document.report(line, f"{dotted}: there is no such key", _unknown(path), "unknown_key")
    elif details["type"] == "missing":
        document.report(line, f"{dotted}: is missing", f"write {path[-1]}: ...", "bad_value")
    else:
        message = f"{dotted}: holds keys of its own, not a value"
        document.report(line, message, "indent its keys below it", "bad_value")


def _unknown(path: tuple[str, ...]) -> str:
    *parents, word = path
    for section, model in _SECTIONS.items():
        if not parents and word in model.model_fields:
            return f"did you mean {section}.{word}?"
    model = _SECTIONS[parents[0]] if parents else ProjectFile
    if parents[:2] == ["alerts", "receivers"]:
        model = AlertReceiver
    return nearest(word, model.model_fields)


def _layer(document: Document, found: dict[str, Any]) -> Layer:
    layer = Layer()
    for path, text in _leaves(found):
        key = ".".join(path)
        given = Given(text, PROJECT_FILE, f"{document.file}:{document.line(path)}: {key}")
        if path[0] == "postgres":
            layer.pins[path[1]] = given
        elif key in PIN_KEYS:
            layer.pins[PIN_KEYS[key]] = given
        else:
            layer.keys[key.removeprefix("profile.")] = given
    return layer


def _leaves(found: dict[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    leaves: list[tuple[tuple[str, ...], str]] = []
    for key, value in found.items():
        if isinstance(value, dict):
            leaves += [((key, *path), text) for path, text in _leaves(value)]
        elif value is not None:
            leaves.append(((key,), value))
    return leaves
