"""stackctl.yaml as plain data, with the line of each key. PyYAML is at home here."""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from stackctl.errors import Problem, ProfileError

Path = tuple[str, ...]
_PLAIN = "tag:yaml.org,2002:"
# Nothing in the schema is this deep; the limit keeps a hostile file from exhausting the stack.
_DEEPEST = 8


@dataclass
class Document:
    """The file's data, the line of each key path, and what is wrong with its form."""

    file: str
    data: dict[str, object] = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[tuple[int, Problem]] = field(default_factory=list)
    verbatim: frozenset[Path] = frozenset()

    def report(self, line: int, message: str, hint: str, code: str = "bad_file") -> None:
        """Note a problem at `line`."""
        self.problems.append((line, Problem(code, f"{self.file}:{line}: {message}", hint)))

    def line(self, path: Path) -> int:
        """The line of the key at `path`, or of its nearest parent that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(text: str, file: str, verbatim: frozenset[Path] = frozenset()) -> Document:
    """Read one YAML document. Raises ProfileError where it is no YAML, or no mapping.

    What stands at a path of `verbatim`, or below it, is text as it was written: there `true` is no boolean.
    """
    document = Document(file, verbatim=verbatim)
    root = _compose(text, file)
    if root is None or root.tag == f"{_PLAIN}null":
        return document
    if not isinstance(root, yaml.MappingNode):
        hint = "write keys such as `name: shop` or `profile:`, one a line"
        message = f"{file}:{_line(root)}: the file is {_kind(root)}, not a mapping"
        raise ProfileError(message, hint=hint, code="bad_file")
    document.data = _mapping(document, root, (), {id(root)})
    return document


def _compose(text: str, file: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = " ".join(str(error.problem or error.context).split())
        message = f"{file}:{line}: not YAML: {problem}"
        raise ProfileError(message, hint=_syntax_hint(text, line), code="bad_file") from error
    except (yaml.YAMLError, RecursionError) as error:
        message = f"{file}: not YAML: {str(error).splitlines()[0]}"
        hint = "save it as plain text with keys such as `name: shop`"
        raise ProfileError(message, hint=hint, code="bad_file") from error


def _syntax_hint(text: str, line: int) -> str:
    lines = text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return "indent with spaces, not with tabs"
    return "write `key: value`, indent by two spaces, and quote values that hold : # or brackets"


def _mapping(document: Document, node: yaml.MappingNode, path: Path, seen: set[int]) -> dict[str, object]:
    data: dict[str, object] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            document.report(_line(key), f"a key is {_kind(key)}, not a word", "write `key: value`")
            continue
        here = (*path, key.value)
        if key.value in data:
            first = document.lines[here]
            message = f"{'.'.join(here)}: is already given in line {first}"
            document.report(_line(key), message, "keep one of the two")
            continue
        document.lines[here] = _line(key)
        data[key.value] = _plain(document, value, here, seen)
    return data


def _plain(document: Document, node: yaml.Node, path: Path, seen: set[int]) -> object:
    if id(node) in seen:
        hint = "write the value again in place of the alias"
        document.report(document.line(path), f"{'.'.join(path)}: anchors and aliases are not read", hint)
        return None
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode) and len(path) < _DEEPEST:
        return _mapping(document, node, path, seen)
    if isinstance(node, yaml.SequenceNode) and len(path) < _DEEPEST:
        return [_plain(document, item, (*path, str(number)), seen) for number, item in enumerate(node.value)]
    if not isinstance(node, yaml.ScalarNode):
        return []
    return _scalar(document, node, path)


def _scalar(document: Document, node: yaml.ScalarNode, path: Path) -> object:
    kind = node.tag.removeprefix(_PLAIN)
    if kind in ("bool", "int") and any(path[: len(each)] == each for each in document.verbatim):
        return node.value
    # YAML 1.1 reads 1:30 as the number 90.
    if kind in ("null", "bool", "int") and ":" not in node.value:
        try:
            return yaml.SafeLoader("").construct_object(node)
        except (ValueError, KeyError):
            message = f"{'.'.join(path)}: {node.value!r} is not what the tag {kind} says"
            document.report(_line(node), message, "leave out the tag")
            return None
    # Other kinds that YAML sees in plain text, such as dates, are meant as they are written.
    if kind in ("str", "int", "float", "timestamp"):
        return node.value
    document.report(_line(node), f"{'.'.join(path)}: the tag {node.tag} is not read", "leave out the tag")
    return None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "a mapping" if isinstance(node, yaml.MappingNode) else "a single value"
