"""Every file of a repository that a real server filled: changed, cut off, grown, gone or swapped, it is found."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mutated import Mutation, cut_to, flip, grow, mutated, remove
from running_stack import Stack, eventually
from stackctl.backup.repository import Repository
from stackctl.backup.verify import verify_all
from stackctl.operations.archives import held_archives

pytestmark = pytest.mark.parametrize("engine", ["embedded"], indirect=True)
SCRIPT = Path(__file__).resolve().parents[3] / "config" / "postgres" / "archive-wal"
# What says of other files how they must be; each is mutated alone, as nothing else of the backup is compared then.
LISTS = ("checksums.txt", "backup.json", "archived.txt")
SEED = 20260301


@pytest.fixture(scope="module")
def filled(stack: Stack) -> Iterator[Repository]:
    """A copy of a stack's repository: a full backup, an incremental one, a dump, WAL with two labels and a history.

    What no backup needs of the WAL is expired.
    """
    taken = []
    for words in ([], stack.incremental(), ["--logical"]):
        stack.add_tools(f"before {words}")
        done = stack.run("backup", *words, "--json")
        assert done.code == 0, done.said
        taken.append(done.data)
        stack.add_tools(f"behind {words}")
        name = stack.sql("SELECT pg_walfile_name(pg_switch_wal())")
        archived = f"SELECT last_archived_wal >= '{name}' FROM pg_stat_archiver"
        eventually(lambda sql=archived: stack.sql(sql) == "t", 60, f"{name} is archived")
    root = Path(taken[0]["path"]).parents[1]
    folder = Path(tempfile.mkdtemp(prefix="mutated-", dir="/var/tmp"))
    subprocess.run(["cp", "--archive", str(root), str(folder / "repository")], check=True)
    for each in taken:
        shutil.rmtree(each["path"])
    (folder / "00000002.history").write_text("1\t0/3000158\tno recovery target specified\n")
    words = ["sh", str(SCRIPT), str(folder / "repository" / "wal"), str(folder / "00000002.history")]
    data = folder / "repository" / "backups" / taken[0]["id"] / "data"
    subprocess.run([*words, "00000002.history"], cwd=data, check=True)
    made = Repository(folder / "repository")
    archive, early = made.archive(taken[0]["system"]), made.unneeded_files(made.backups())
    # The list says that they expired; whatever changes in it is found all the same.
    archive.remove(early)
    assert archive.listed().expired == {file.path.name for file in early} != set()
    yield made
    shutil.rmtree(folder)


def wrong(repository: Repository) -> set[str]:
    """What verification names, as paths in the repository; without a server that could say what it archived."""
    found = set()
    for finding in verify_all(repository):
        path = finding.reason.split(":")[0]
        known = finding.what in {entry.id for entry in repository.entries()}
        found.add(f"backups/{finding.what}/{path}" if known else f"wal/{finding.what.split('-')[0]}")
    for held in held_archives(repository, None):
        found |= {f"wal/{segment.name}" for gap in held.wrong for segment in gap.segments()}
    return found


def spoken_of(repository: Repository, path: Path) -> str:
    """A file as `wrong` names it."""
    inside = path.relative_to(repository.root)
    return f"wal/{inside.name.split('-')[0]}" if inside.parts[0] == "wal" else str(inside)


def files(repository: Repository) -> list[Path]:
    there = sorted(path for path in repository.root.rglob("*") if path.is_file())
    return [path for path in there if path.name != "lock"]


RANDOM = random.Random(SEED)
MUTATIONS: dict[str, Mutation] = {
    "first byte": lambda path: flip(path, 0, 0x01),
    "last byte": lambda path: flip(path, -1, 0x80),
    "any byte": lambda path: flip(path, RANDOM.randrange(2**40), 1 << RANDOM.randrange(8)),
    "last byte cut off": lambda path: cut_to(path, -1),
    "cut anywhere": lambda path: cut_to(path, RANDOM.randrange(2**40)),
    "emptied": lambda path: cut_to(path, 0),
    "a byte more": grow,
    "gone": remove,
}


def test_nothing_is_wrong_with_what_was_not_changed(filled: Repository) -> None:
    kinds = {path.name.split("-")[0] if "wal" in path.parts else path.name for path in files(filled)}
    ours = {*LISTS, "folders.txt", "RESTORE.txt"}
    assert ours | {"backup_manifest", "PG_VERSION", "toc.dat", "globals.sql", "00000002.history"} <= kinds
    assert len(files(filled)) > 1500
    assert wrong(filled) == set()


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_file_that_changed_is_named_and_no_other(filled: Repository, name: str) -> None:
    """All at once: each must be named by itself."""
    plain = [path for path in files(filled) if path.name not in LISTS]
    with mutated(plain, MUTATIONS[name]) as changed:
        assert wrong(filled) == {spoken_of(filled, path) for path in changed}
    empty = [path for path in plain if path.stat().st_size == 0]
    assert len(changed) == len(plain) - (len(empty) if name not in ("a byte more", "gone") else 0)


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_list_that_changed_is_found(filled: Repository, name: str) -> None:
    for path in files(filled):
        if path.name in LISTS:
            with mutated([path], MUTATIONS[name]):
                assert wrong(filled) != set(), path
    assert wrong(filled) == set()


@pytest.mark.full
def test_a_file_alone_is_enough(filled: Repository) -> None:
    """By chance, as each takes a reading of the whole repository."""
    for path in random.Random(SEED).sample(files(filled), 200):
        name = RANDOM.choice(list(MUTATIONS))
        with mutated([path], MUTATIONS[name]) as changed:
            found = wrong(filled)
        assert (found != set()) == bool(changed), (path, name)


def swap(one: Path, other: Path) -> None:
    away = one.with_name("away")
    one.rename(away)
    other.rename(one)
    away.rename(other)


def test_two_files_in_each_others_place_are_both_named(filled: Repository) -> None:
    data = filled.path(filled.backups()[0].id) / "data"
    archived = [file.path for file in filled.archive(filled.systems()[0]).files() if "." not in file.name]
    pairs = [(data / "PG_VERSION", data / "base" / "1" / "1259"), (archived[0], archived[-1])]
    for one, other in pairs:
        swap(one, other)
        found = wrong(filled)
        swap(one, other)
        assert found == {spoken_of(filled, one), spoken_of(filled, other)}


ADDED: dict[str, Callable[[Repository], Path]] = {
    "beside the backups": lambda there: there.root / "notes.txt",
    "among the backups": lambda there: there.backups_folder / "notes.txt",
    "in a backup": lambda there: there.path(there.backups()[0].id) / "notes.txt",
    "in its data": lambda there: there.path(there.backups()[0].id) / "data" / "base" / "1" / "99999",
    "among the archives": lambda there: there.wal_folder / "notes.txt",
    "in an archive": lambda there: there.archive(there.systems()[0]).folder / "notes.txt",
    "in an archive, hidden": lambda there: there.archive(there.systems()[0]).folder / ".notes",
}


@pytest.mark.parametrize("place", ADDED)
def test_what_was_added_is_found(filled: Repository, place: str) -> None:
    path = ADDED[place](filled)
    for add, away in ((Path.touch, Path.unlink), (Path.mkdir, Path.rmdir)):
        add(path)
        found = verify_all(filled)
        away(path)
        assert len(found) == 1, found
    path.symlink_to("/etc/hostname")
    found = verify_all(filled)
    path.unlink()
    assert found != []


def test_an_empty_folder_that_a_server_needs_is_missed(filled: Repository) -> None:
    folder = filled.path(filled.backups()[0].id) / "data" / "pg_notify"
    folder.rmdir()
    found = [each.reason for each in verify_all(filled)]
    folder.mkdir(mode=0o700)
    assert found == ["data/pg_notify: this folder is missing"]


def test_what_is_no_ordinary_file_is_found_and_not_waited_for(filled: Repository) -> None:
    data = filled.path(filled.backups()[0].id) / "data"
    for path in (data / "PG_VERSION", data / "global" / "pg_control"):
        away = path.rename(data.parent.parent / ".new-away")
        for make in (lambda path=path: subprocess.run(["mkfifo", str(path)], check=True), path.mkdir):
            make()
            assert any(str(path.relative_to(data)) in each.reason for each in verify_all(filled))
            path.rmdir() if path.is_dir() else path.unlink()
        path.symlink_to(away)
        assert any("cannot be read" in each.reason for each in verify_all(filled))
        path.unlink()
        away.rename(path)
