"""Every file of a repository that pgBackRest filled for a real server: changed, cut off or gone, it is found."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mutated import Mutation, cut_to, flip, mutated, remove
from pgbackrest_machine import STANZA, Machine, here, machine
from running_stack import eventually
from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.pgbackrest.fetched_wal import Allowance, FetchedWal
from stackctl.backup.pgbackrest.restore import get_wal
from stackctl.backup.pgbackrest.stored import StanzaStored
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.restore import explained
from stackctl.backup.verify import Unread
from stackctl.backup.wal_files import WalUnread
from stackctl.errors import BackupFailed, Damaged, EngineFailed, StackError
from stackctl.render.pgbackrest import CONFIG, KEYS

SEED = 20260301
RANDOM = random.Random(SEED)
MUTATIONS: dict[str, Mutation] = {
    "any byte": lambda path: flip(path, RANDOM.randrange(2**40), 1 << RANDOM.randrange(8)),
    "cut anywhere": lambda path: cut_to(path, RANDOM.randrange(2**40)),
    "gone": remove,
    "first byte": lambda path: flip(path, 0, 0x01),
    "last byte": lambda path: flip(path, -1, 0x80),
    "last byte cut off": lambda path: cut_to(path, -1),
    "emptied": lambda path: cut_to(path, 0),
}
# Each list takes a reading of its own.
ALL_AT_ONCE, ONE_BY_ONE = ("any byte", "cut anywhere", "gone"), ("any byte", "gone")
KINDS = [("zst", True), pytest.param(("none", False), marks=pytest.mark.full)]


def mutations(ordinary: tuple[str, ...]) -> pytest.MarkDecorator:
    """All of them, the others in the full run."""
    marks = {name: () if name in ordinary else pytest.mark.full for name in MUTATIONS}
    return pytest.mark.parametrize("name", [pytest.param(name, marks=marks[name]) for name in MUTATIONS])


@pytest.fixture(scope="module")
def image(request: pytest.FixtureRequest) -> str | None:
    """None where this machine has the programs itself."""
    return None if here() else request.getfixturevalue("built")["postgres"]


@pytest.fixture(scope="module", params=KINDS, ids=str)
def filled(image: str | None, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A full backup, an incremental one, a full one on another timeline, and WAL; all was verified once."""
    folder = Path(tempfile.mkdtemp(prefix="pgbackrest-", dir="/var/tmp"))
    compression, encrypted = request.param
    try:
        with machine(folder, image) as made:
            made.configure(compression, encrypted=encrypted)
            made.fill()
            made.stop()
            # A first segment that no backup needs is a file like any other.
            assert verify(made) == set()
            yield made
    finally:
        shutil.rmtree(folder)


def repository(made: Machine) -> Path:
    return made.folder / "repository"


def verify(made: Machine) -> set[str]:
    """What verification names, as paths below the folders of backups and of WAL, without checksums."""
    engine = made.engine()
    backups = engine.stored().backups()
    found = engine.verify(backups, everything=True, note=lambda _text: None)
    known = {backup.id for backup in backups}
    return {each.reason.split(": ")[0] if each.what in known else each.what for each in found}


def named(made: Machine, path: Path) -> set[str]:
    """A file as `verify` may name it: of a pair of lists, nobody can tell which one changed."""
    name = path.name.removesuffix(".copy") if ".info" in path.name else path.name
    if path.is_relative_to(repository(made) / "archive"):
        return {name, f"{name}.copy"} if ".info" in name else {name if ".partial" in name else name.split("-")[0]}
    inside = path.relative_to(repository(made) / "backup" / STANZA)
    if "backup.history" in inside.parts or len(inside.parts) == 1:
        return {name, f"{name}.copy"}
    return {str(Path(*inside.parts[1:]))}


def files(made: Machine) -> list[Path]:
    return sorted(path for path in repository(made).rglob("*") if path.is_file() and not path.is_symlink())


def alone(path: Path) -> bool:
    """Whether others are read by what it says, or not at all where it is damaged."""
    lists = (".info", ".copy", ".manifest", ".history", ".backup")
    first = path.name.startswith("000000010000000000000001-")
    return first or any(each in path.name for each in lists) or "backup.history" in path.parts


@contextmanager
def kept(made: Machine) -> Iterator[None]:
    """What is noted meanwhile is forgotten: lists as they were, and no repair of what pgBackRest wrote anew."""
    lists = {path: path.read_bytes() for path in files(made) if path.name.startswith(("backup.info", "archive.info"))}
    try:
        yield
    finally:
        for path, content in lists.items():
            path.write_bytes(content)


def segments_needed(made: Machine) -> dict[str, list[str]]:
    """The segments that each backup needs, by its id, as pgBackRest lists them."""
    (stanza,) = json.loads(made.pgbackrest("--output=json", "info"))
    ends = {each["label"]: (each["archive"]["start"], each["archive"]["stop"]) for each in stanza["backup"]}
    return {
        label: [f"{start[:16]}{number:08X}" for number in range(int(start[16:], 16), int(stop[16:], 16) + 1)]
        for label, (start, stop) in ends.items()
    }


def test_the_repository_has_files_of_each_sort(filled: Machine) -> None:
    names = " ".join(str(path) for path in files(filled))
    for part in (".partial-", "00000002.history", ".backup ", "/bundle/1", ".pgbi", ".manifest.gz", ".info.copy"):
        assert part in names
    assert len(files(filled)) > 30
    assert verify(filled) == set()


@mutations(ALL_AT_ONCE)
def test_every_file_that_changed_is_named_and_no_other(filled: Machine, name: str) -> None:
    """Those that are read each by itself, all at once; a segment that is gone is a gap, which is another matter."""
    plain = [path for path in files(filled) if not alone(path)]
    needs = segments_needed(filled)
    with kept(filled), mutated(plain, MUTATIONS[name]) as changed:
        found = verify(filled)
        states = {backup.id: backup.status for backup in filled.engine().stored().backups()}
    gone = {
        path.name[:24] for path in plain if name == "gone" and ".partial" not in path.name and "archive" in path.parts
    }
    expected = {each for path in changed for each in named(filled, path)} - gone
    because = {
        f"it needs {segment}, which is {'missing' if gone else 'damaged'}" for own in needs.values() for segment in own
    }
    assert found == expected | because
    assert len(changed) == len(plain)
    assert set(states.values()) == {Status.DAMAGED}


@mutations(ONE_BY_ONE)
def test_every_list_that_changed_is_found_alone(filled: Machine, name: str) -> None:
    for path in (path for path in files(filled) if alone(path)):
        with kept(filled), mutated([path], MUTATIONS[name]):
            found = verify(filled)
        if name == "gone" and path.name.startswith("000000010000000000000001-"):
            # It is before all backups.
            assert found == set()
            continue
        assert found, path
        assert found <= named(filled, path), path
    assert verify(filled) == set()


def test_a_backup_is_good_again_when_its_wal_is(filled: Machine) -> None:
    engine = filled.engine()
    backup = engine.stored().backups()[0]
    name = segments_needed(filled)[backup.id][0]
    (path,) = [path for path in files(filled) if path.name.startswith(f"{name}-")]
    with mutated([path], MUTATIONS["any byte"]):
        found = engine.verify([backup], everything=False, note=print)
        assert {each.what for each in found} == {name, backup.id}
        assert [each.status for each in engine.stored().backups()] == [Status.DAMAGED, Status.OK, Status.OK]
    assert engine.verify([backup], everything=False, note=print) == []
    assert [each.status for each in engine.stored().backups()] == [Status.OK] * 3


def test_what_cannot_be_read_is_named_and_marks_nothing(filled: Machine) -> None:
    """As a disk or a share fails. What is there is as it was, and a backup that is marked may be deleted."""
    engine = filled.engine()
    backups = engine.stored().backups()
    (segment,) = [
        path for path in files(filled) if path.name.startswith(f"{segments_needed(filled)[backups[0].id][0]}-")
    ]
    bundle = repository(filled) / "backup" / STANZA / backups[-1].id / "bundle" / "1"
    denied = "cannot be read: Permission denied"
    needs = (backups[0].id, f"it needs {segment.name[:24]}, which cannot be read")
    for path, wanted in (
        (segment, {(segment.name[:24], denied), needs}),
        (bundle, {(backups[-1].id, f"bundle/1: {denied}")}),
    ):
        mode = path.stat().st_mode
        path.chmod(0)
        try:
            found = engine.verify(backups, everything=True, note=print)
        finally:
            path.chmod(mode)
        assert {(each.what, each.reason) for each in found if isinstance(each, Unread)} == wanted
        assert len(found) == len(wanted)
        assert [each.status for each in engine.stored().backups()] == [Status.OK] * 3


def test_a_damaged_first_segment_stops_no_reading_of_what_backups_need(filled: Machine) -> None:
    """pgBackRest itself ends there with an error, and reads nothing."""
    paths = {path.name[:24]: path for path in files(filled) if "-" in path.name and "archive" in path.parts}
    segment = segments_needed(filled)[filled.engine().stored().backups()[-1].id][0]
    for mutation in (lambda path: cut_to(path, 0), lambda path: flip(path, 9, 0xFF)):
        with kept(filled), mutated([paths["000000010000000000000001"], paths[segment]], mutation):
            found = verify(filled)
        assert {"000000010000000000000001", segment, f"it needs {segment}, which is damaged"} <= found


@pytest.mark.parametrize("lists", [("backup.info",), ("archive.info",), ("backup.info", "archive.info")], ids=str)
def test_lost_lists_are_damage_and_no_empty_repository(filled: Machine, lists: tuple[str, ...]) -> None:
    paths = [path for path in files(filled) if path.name.removesuffix(".copy") in lists]
    for mutation in (remove, MUTATIONS["first byte"], MUTATIONS["cut anywhere"]):
        with mutated(paths, mutation):
            plain = not filled.keys()
            if len(lists) == 2 and mutation is not remove and not (plain and mutation is MUTATIONS["cut anywhere"]):
                # Nothing tells this from another passphrase.
                with pytest.raises(StackError, match=r"all its lists are damaged|is damaged"):
                    filled.engine().stored().backups()
                continue
            with pytest.raises(Damaged):
                filled.engine().stored().backups()
    assert len(filled.engine().stored().backups()) == 3


def test_another_passphrase_is_no_damage(filled: Machine) -> None:
    keys = filled.folder / "keys" / "keys.conf"
    if not keys.exists():
        pytest.skip("it is not encrypted")
    good = keys.read_text()
    keys.write_text(good.replace("secret", "other"))
    try:
        with pytest.raises(StackError, match=r"backup\.encryption: .* it is encrypted otherwise") as caught:
            filled.engine().stored().backups()
        assert caught.value.exit_code == 20
    finally:
        keys.write_text(good)


WAYS = [("zst", True), ("none", False)]
WAYS += [
    pytest.param(*way, marks=pytest.mark.full) for way in (("lz4", True), ("gz", True), ("zst", False), ("lz4", False))
]
NEXT = "0000000100000000000000FE"


@pytest.mark.parametrize(("compression", "encrypted"), WAYS)
def test_recovery_gets_the_bytes_that_were_archived_or_none(filled: Machine, compression: str, encrypted: bool) -> None:
    """`archive-get` alone ends with 0 and other bytes for most flips in a segment that does not compress."""
    system = filled.engine().stored().backups()[0]
    other = filled.folder / NEXT
    # Behind the first backup, where nothing but noise was written.
    name = f"{1:08X}{0:08X}{int(segments_needed(filled)[system.id][-1][16:], 16) + 1:08X}"
    segment, into = filled.folder / name, filled.folder / "into"
    filled.pgbackrest("archive-get", name, str(segment))
    own = (filled.folder / "pgbackrest.conf").read_text(), filled.keys()
    try:
        filled.configure(compression, encrypted=encrypted, repository="other")
        filled.pgbackrest("--no-online", "stanza-create")
        filled.pgbackrest("archive-push", str(segment))
        tool = Tool(filled, STANZA, "other")  # type: ignore[arg-type]
        get = get_wal(tool, system, filled.folder / "data")
        filled.run("cp", str(segment), str(other))
        filled.pgbackrest("--no-archive-header-check", "archive-push", str(other))

        def got(wanted: str) -> int:
            into.unlink(missing_ok=True)
            return filled.run("sh", "-c", get.replace("%f", wanted).replace("%p", str(into)), check=False).returncode

        good = segment.read_bytes()
        for known in (name, NEXT):
            assert got(known) == 0, "one that is listed, and one that came later"
            assert into.read_bytes() == good
        assert got("0000000100000000000000FF") == 1
        for known in (name, NEXT):
            (path,) = (filled.folder / "other" / "archive").rglob(f"{known}-*")
            for position in (4096, 2**20, -4096, RANDOM.randrange(2**40)):
                with mutated([path], lambda path, place=position: flip(path, place, 0x10)):
                    code = got(known)
                    assert (code, into.exists()) == (126, False) or into.read_bytes() == good
            with mutated([path], lambda path: cut_to(path, 2**20)):
                assert (got(known), into.exists()) == (126, False)
        while_planning(filled, tool, system, name, good)
    finally:
        filled.restore(*own)
        shutil.rmtree(filled.folder / "other", ignore_errors=True)
        for path in (segment, other, into):
            path.unlink(missing_ok=True)


def while_planning(made: Machine, tool: Tool, backup: Backup, name: str, good: bytes) -> None:
    """A segment is fetched as it was archived, or not at all."""
    place, archive = made.folder / "place", StanzaStored(tool).archive(backup.system)
    files = FetchedWal(tool, made, archive, 1, print, Allowance())  # type: ignore[arg-type]
    wanted = {name: int(name[16:], 16)}
    (path,) = (made.folder / "other" / "archive").rglob(f"{name}-*")
    place.mkdir()
    try:
        files.bring(wanted, place)
        assert (place / name).read_bytes() == good
        for position in (4096, -4096, path.stat().st_size // 2):
            with (
                mutated([path], lambda path, place=position: flip(path, place, 0x10)),
                pytest.raises(WalUnread),
            ):
                files.bring(wanted, place)
    finally:
        shutil.rmtree(place)


def test_a_history_that_was_noted_and_changed_is_not_followed(filled: Machine) -> None:
    """Its words are no part of what the server looks at, and are no reason to trust the rest."""
    oldest = filled.engine().stored().backups()[0]
    tool = Tool(filled, STANZA, "here")  # type: ignore[arg-type]
    into = filled.folder / "into"
    command = get_wal(tool, oldest, filled.folder / "data").replace("%f", "00000002.history").replace("%p", str(into))
    assert filled.run("sh", "-c", command, check=False).returncode == 0
    (path,) = (repository(filled) / "archive").rglob("00000002.history")
    with mutated([path], MUTATIONS["any byte"]):
        assert filled.run("sh", "-c", command, check=False).returncode == 126
    into.unlink(missing_ok=True)


def fatal_line(made: Machine, segment: str) -> str:
    """Why a server ended that did not get a segment, empty where it did not end."""
    said = (made.folder / "log").read_text().splitlines()
    return next((line for line in said if "FATAL:" in line and f'could not restore file "{segment}"' in line), "")


def test_the_server_stops_before_damaged_wal_and_does_not_promote(filled: Machine) -> None:
    """With a command that compares nothing, it takes the first bad record for the end and is up."""
    oldest = filled.engine().stored().backups()[0]
    place = filled.folder / "copy"
    data, tool = place / "data", Tool(filled, STANZA, "here")  # type: ignore[arg-type]
    behind = f"{1:08X}{0:08X}{int(segments_needed(filled)[oldest.id][-1][16:], 16) + 1:08X}"
    (path,) = [path for path in files(filled) if path.name.startswith(f"{behind}-")]
    try:
        filled.run("mkdir", "-p", "-m", "700", str(data))
        filled.pgbackrest("restore", f"--set={oldest.id}", f"--pg1-path={data}", "--type=none")
        command = get_wal(tool, oldest, data).replace(CONFIG, f"{filled.folder}/pgbackrest.conf")
        command = command.replace(KEYS, f"{filled.folder}/keys").replace("'", "''")
        with (data / "postgresql.auto.conf").open("a") as file:
            file.write(f"\nrestore_command = '{command}'\nrecovery_target_action = promote\n")
        filled.run("touch", str(data / "recovery.signal"))
        with mutated([path], lambda path: flip(path, path.stat().st_size // 2, 0x10)):
            # It may be up as a standby for a moment.
            with suppress(EngineFailed):
                filled.start(data, archive_mode="off")
            fatal = eventually(lambda: fatal_line(filled, behind), 60, "the server ends")
            assert isinstance(explained(EngineFailed(fatal, hint=""), None), Damaged)
            eventually(lambda: not (data / "postmaster.pid").exists(), 60, "it is down")
        filled.start(data, archive_mode="off")
        eventually(lambda: filled.sql("SELECT pg_is_in_recovery()") == "f", 60, "it is up without the damage")
        filled.stop(data)
    finally:
        shutil.rmtree(place)


def test_a_backup_of_damaged_pages_fails(filled: Machine) -> None:
    """The last test, as it leaves one. The others stay good; it is listed as damaged."""
    filled.start()
    filled.sql("CREATE TABLE victim AS SELECT n, repeat('x', 100) AS filler FROM generate_series(1, 1000) n")
    filled.sql("VACUUM FREEZE victim")
    filled.sql("CHECKPOINT")
    page = filled.sql("SELECT pg_relation_filepath('victim')")
    filled.sql(f"COPY (SELECT 1) TO PROGRAM 'printf Z | dd of={page} bs=1 seek=8000 conv=notrunc 2>/dev/null'")
    try:
        with pytest.raises(BackupFailed, match=f"holds damaged pages .*/{page} at page 0"):
            filled.engine().take(Kind.FULL, lambda _text: None, gently=True)
    finally:
        filled.stop()
    assert [each.status for each in filled.engine().stored().backups()] == [*[Status.OK] * 3, Status.DAMAGED]
