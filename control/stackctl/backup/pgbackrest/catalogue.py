"""What pgBackRest's own verification passes over: its lists, their copies, and files without a checksum."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stackctl.backup.model import Backup
from stackctl.backup.pgbackrest.faults import cut_short, first_words, outage, unread_error
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.protocol import AWAY
from stackctl.backup.verify import Finding, unread
from stackctl.backup.wal_name import history_of, parse_history, parse_segment, segment_of
from stackctl.engine.base import Programs
from stackctl.errors import EngineFailed
from stackctl.render.pgbackrest import words

_LISTS = ("archive/{}/archive.info", "backup/{}/backup.info")
_COPY = ".copy"
_HOURS = 3600.0
# For each path its exit status, the SHA-1 of its bytes as they are without encryption, and its name; then what was said
# of it, or what a history says.
_READ = """
left=$(mktemp -d); cd "$left" || exit 1
for path; do
    sum=$({{ {get} repo-get "$path" 2>said; echo $? >code; }} | sha1sum)
    echo "$(cat code) ${{sum%% *}} $path"
    case $(cat code)$path in
    0*.history) {get} repo-get "$path" 2>said | sed 's/^/: /'; echo ;;
    0*) ;;
    *) sed 's/^/: /' said; echo ;;
    esac
done
rm -r "$left"
"""
_LINE = re.compile(r"(?P<code>\d+) (?P<sum>[0-9a-f]{40}) (?P<path>.+)")
_CHANGED = "its bytes are not those that were written"


def opens(tool: Tool) -> bool:
    """Whether the passphrase opens any of the lists: then another one that cannot be read is damaged."""
    paths = [place.format(tool.stanza) + end for place in _LISTS for end in ("", _COPY)]
    with tool.programs() as programs:
        return any(tool.tried(programs, "repo-get", path).stdout.startswith("[backrest]") for path in paths)


@dataclass(frozen=True)
class Files:
    """Paths below the stanza's folders `archive` and `backup`, the archive of each backup, and what was noted of it.

    `noted` has the checksums of each backup's files by their names.
    """

    archive: Sequence[str]
    backup: Sequence[str]
    homes: Mapping[str, str]
    noted: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Looked:
    """What is wrong, and the checksums to note of each backup."""

    found: Sequence[Finding]
    sums: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class _Seen:
    """A file that was read: its checksum, empty where it could not be, and its text or what was said of it.

    `error` is the system's, where that says nothing of its bytes.
    """

    sum: str
    text: str
    error: OSError | None = None


def look(tool: Tool, programs: Programs, files: Files, chosen: Sequence[Backup], *, everything: bool) -> Looked:
    """Compare what no checksum covers with what was noted when it was first read.

    With `everything`, compare both of each pair of lists, and look at all histories, which other backups may need.
    Raises StackError where the store does not answer.
    """
    stanza = tool.stanza
    places = [place.format(stanza) for place in _LISTS] if everything else []
    lists = [(place, place + _COPY) for place in places]
    mine = {backup.id: _files_of(stanza, files, backup) for backup in chosen}
    known = [f"archive/{stanza}/{path}" for path in files.archive if history_of(_name(path)) is not None]
    own = {path for each in mine.values() for path in each}
    histories = [path for path in known if everything or path in own]
    wanted = [*(path for pair in lists for path in pair), *sorted(own), *histories]
    seen = _read(tool, programs, list(dict.fromkeys(wanted)))
    found = [each for main, copy in lists for each in _pair(main, seen[main], seen[copy])]
    found += [each for path in histories if (each := _history(path, seen[path]))]
    lacking = _lacking(files.archive) if everything else []
    found += [Finding(f"{timeline:08X}.history", "is missing") for timeline in lacking]
    broken = {each.what for each in found}
    sums = {}
    for backup in chosen:
        noted = files.noted.get(backup.id, {})
        there = {_name(path): seen[path] for path in mine[backup.id]}
        differing = _differences(backup, noted, there)
        found += [each for each in differing if each.what not in broken]
        fresh = {name: file.sum for name, file in there.items() if file.sum and name not in broken}
        sums[backup.id] = {**({} if differing else fresh), **noted}
    return Looked(list(dict.fromkeys(found)), sums)


def _files_of(stanza: str, files: Files, backup: Backup) -> list[str]:
    """The paths of what belongs to a backup and has no checksum elsewhere."""
    own = re.compile(
        rf"({re.escape(backup.id)}/backup\.manifest(\.copy)?|backup\.history/.*/{re.escape(backup.id)}\.manifest.*)"
    )
    found = [f"backup/{stanza}/{path}" for path in files.backup if own.fullmatch(path)]
    if backup.timeline is None or backup.wal_start is None:
        return found
    segment = segment_of(backup.timeline, backup.wal_start)
    label = f"{segment.name}.{backup.wal_start.value - segment.start.value:08X}.backup"
    for path in files.archive:
        name = _name(path)
        later = (history_of(name) or 0) > backup.timeline
        # What a timeline ended with, when another branched off.
        part = ".partial" in name and name[:8] == segment.name[:8] and name >= segment.name
        if path.startswith(f"{files.homes.get(backup.id)}/") and (name == label or later or part):
            found.append(f"archive/{stanza}/{path}")
    return found


def _differences(backup: Backup, noted: Mapping[str, str], there: Mapping[str, _Seen]) -> list[Finding]:
    """What of a backup's files is not as it was, or is gone."""
    must = {f"backup.manifest{end}" for end in ("", _COPY)}
    found = [_of(backup, name, "is missing") for name in sorted({*noted, *must} - set(there))]
    for name, file in sorted(there.items()):
        if not file.sum:
            found.append(_not_read(file, *_place(backup, name)))
        elif file.sum != noted.get(name, file.sum):
            found.append(_of(backup, name, _CHANGED))
    manifests = {there[name].sum for name in must & set(there)}
    if not found and len(manifests) > 1:
        found = [_of(backup, "backup.manifest", "is not what its copy is: one of them is damaged")]
    return found


def _of(backup: Backup, name: str, wrong: str) -> Finding:
    what, inside = _place(backup, name)
    return Finding(what, f"{inside}: {wrong}" if inside else wrong)


def _place(backup: Backup, name: str) -> tuple[str, str]:
    """What a file is named by, and where in it. WAL goes by its own names."""
    return (backup.id, name) if name.startswith("backup.") or backup.id in name else (name, "")


def _not_read(file: _Seen, what: str, inside: str = "") -> Finding:
    if file.error:
        return unread(what, file.error, inside)
    wrong = f"cannot be read: {file.text}"
    return Finding(what, f"{inside}: {wrong}" if inside else wrong)


def _pair(path: str, main: _Seen, copy: _Seen) -> list[Finding]:
    name = _name(path)
    found = [_not_read(file, each) for each, file in ((name, main), (name + _COPY, copy)) if not file.sum]
    if not found and main.sum != copy.sum:
        found = [Finding(name, "is not what its copy is: one of them is damaged")]
    return found


def _history(path: str, seen: _Seen) -> Finding | None:
    """What is wrong with a history by itself, None where nothing is to be seen."""
    if not seen.sum:
        return _not_read(seen, _name(path))
    try:
        branches = parse_history(seen.text)
    except ValueError as error:
        return Finding(_name(path), str(error))
    parents = [branch.parent for branch in branches] + [history_of(_name(path)) or 0]
    sound = branches and parents == sorted(set(parents)) and "\ufffd" not in seen.text
    return None if sound else Finding(_name(path), "is no history of a timeline")


def _lacking(archive: Sequence[str]) -> list[int]:
    """Timelines that have WAL, and branched off from one that has some, without a history."""
    known: dict[str, set[int]] = {}
    there: dict[str, set[int]] = {}
    for path in archive:
        home, name = path.split("/")[0], _name(path)
        if (timeline := history_of(name)) is not None:
            known.setdefault(home, set()).add(timeline)
        elif segment := parse_segment(name.split("-")[0]):
            there.setdefault(home, set()).add(segment.timeline)
    return sorted(
        timeline
        for home, all_of in there.items()
        for timeline in all_of - known.get(home, set())
        if timeline > min(all_of)
    )


def _read(tool: Tool, programs: Programs, paths: Sequence[str]) -> dict[str, _Seen]:
    get = shlex.join([*words(tool.stanza), "--log-level-console=off", "--log-level-stderr=error"])
    done = programs.run("sh", "-c", _READ.format(get=get), "sh", *paths, check=False, timeout=24 * _HOURS, quiet=True)
    said: dict[str, list[str]] = {}
    codes: dict[str, re.Match[str]] = {}
    path = ""
    for line in done.stdout.splitlines():
        if not line.startswith(": ") and (match := _LINE.fullmatch(line)):
            path = match["path"]
            codes[path], said[path] = match, []
        elif path:
            said[path].append(line.removeprefix(": "))
    if missing := [each for each in paths if each not in codes]:
        raise EngineFailed(
            f"pgbackrest: {missing[0]} was not read: {done.stderr.strip()}", hint="run it again", code=AWAY
        )
    return {each: _seen(tool, codes[each], said[each]) for each in paths}


def _seen(tool: Tool, line: re.Match[str], said: Sequence[str]) -> _Seen:
    text, code = "\n".join(said), int(line["code"])
    if code == 0:
        return _Seen(line["sum"], text)
    if ended := cut_short(code, text):
        raise ended
    why = first_words(text)
    error = unread_error(code, why)
    if not error and (away := outage(code, text.split("]: ", 1)[-1], tool.where)):
        raise away
    return _Seen("", why, error)


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
