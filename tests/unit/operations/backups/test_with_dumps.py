"""Dumps of a project whose other backups pgBackRest takes: one list, and a store that may be away."""

import errno
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from pgbackrest_server import SYSTEM, Server, described
from rendered_repository import rendered_conf
from stackctl.backup.model import Backup, Kind, Status, spelled
from stackctl.backup.noted import noted_backups
from stackctl.backup.repository import Repository
from stackctl.engine import noted
from stackctl.engine.project import Project
from stackctl.engine.runner import Completed
from stackctl.errors import Damaged, EngineFailed, Locked, RestoreRefused, UsageError
from stackctl.operations import backup
from stackctl.operations.backup import list_command, open_backups, show_command, verify_command
from stackctl.operations.backups.drill import drill_command
from stackctl.operations.backups.dump import Part, Wanted, dump_command, restore_dump_command
from stackctl.operations.backups.engines import unready_repository
from stackctl.operations.backups.expire import expire_command, keep_command
from stackctl.operations.backups.schedule import schedule_command
from stackctl.operations.backups.status import status_command
from stackctl.operations.observing.backups import seen
from stackctl.operations.restore import Wanted as Restored
from stackctl.operations.restore import restore_command
from stackctl.operations.result import Request
from stackctl.operations.state import State, save
from stackctl.settings.backup import backup_settings
from stackctl.settings.project_file import load

STORE = "{repository: s3://shop, key_file: k, secret_file: s, redundancy: 1, minimum: 1}"
HERE = "{engine: pgbackrest}"
CONTENTS = "217; 1259 16401 TABLE public tools owner\n"
NOW = datetime.now(UTC).replace(microsecond=0)


def stamped(hours):
    at = int((NOW - timedelta(hours=hours)).timestamp())
    return {"start": at - 60, "stop": at}


class Machine(Server):
    """A stack on Docker with two backups by pgBackRest, of three days and of one hour ago."""

    name = "docker"

    def __init__(self, folder):
        super().__init__(described("F1", 2, timestamp=stamped(72)), described("F2", 4, timestamp=stamped(1)))
        self.folder, self.away, self.asked = folder, False, []

    def repository(self):
        return self.folder / "backups"

    def data_place(self):
        return self.folder

    def ballast(self):
        return SimpleNamespace(held=lambda: 0)

    def running(self):
        return True

    def services(self):
        return ()

    def passes(self, _folder):
        return True

    def query(self, _sql):
        told = {"system": str(SYSTEM), "postgres": 17, "timeline": 1, "most": 10, "command": "", "since": 1}
        return [told]

    def login(self):
        return ()

    def claim(self, folder):
        folder.mkdir(parents=True)

    def run(self, program, *words, **how):
        if program in ("pg_dump", "pg_dumpall"):
            place = Path(words[words.index("--file") + 1])
            if program == "pg_dump":
                place.mkdir()
                place /= "toc.dat"
            place.write_text("rows\n")
        if program.startswith("pg_"):
            return Completed((), 0, CONTENTS if "--list" in words else "", "")
        self.asked.append(words)
        if self.away:
            return Completed((), 49, "", "ERROR: [049]: unable to connect to 'shop:443'")
        return super().run(program, *words, **how)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    return lambda section=STORE: brought_up(tmp_path, monkeypatch, section)


def brought_up(folder, monkeypatch, section):
    path = folder / "stackctl.yaml"
    path.write_text(f"backup: {section}\n")
    chosen = backup_settings(load(path).keys, folder).pgbackrest
    project = Project("shop", folder, None, chosen)
    conf = project.rendered / "postgres" / "pgbackrest.conf"
    conf.parent.mkdir(parents=True)
    conf.write_bytes(rendered_conf(project, folder / "backups"))
    save(project.private, replace(State("shop", "docker", "asked for", "debian", {}), folder=str(folder)))
    made = Machine(folder)
    made.project = project
    monkeypatch.setattr(backup, "recorded_engine", lambda _opened, _runner: made)
    made.request = Request(str(folder), environ={})
    return made


def dump(made):
    return dump_command(made.request, None, print).data["id"]


def listed(made):
    return [each["id"] for each in list_command(made.request, None).data["backups"]]


def dumped(made, hours):
    """One of so many hours ago."""
    plain, at = Repository(made.repository()), NOW - timedelta(hours=hours)
    plain.create()
    identifier, folder = plain.begin(Kind.LOGICAL, at)
    (folder / "data").mkdir()
    return plain.finish(folder, Backup(identifier, Kind.LOGICAL, "native", at, at, 0, 17, str(SYSTEM), "")).id


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_they_are_in_one_list_in_the_order_of_their_time_and_the_observer_is_told_of_both(machine):
    made = machine()
    older, newest = dumped(made, 24), dump(made)
    assert [older[:6], newest[:6]] == ["000001", "000002"]
    assert listed(made) == ["F1", older, "F2", newest]
    told = noted_backups(made.project.work / noted.FOLDER)
    assert [each.id for each in told] == ["F1", older, "F2", newest]
    assert unready_repository(made.project, made) == []
    assert len(noted_backups(made.project.work / noted.FOLDER)) == 4, "up tells of them too"
    shown = show_command(made.request, None, newest).data
    assert (shown["path"], shown["engine"]) == (str(made.repository() / "backups" / newest), "native")
    assert show_command(made.request, None, "F2").data["path"] == "s3://shop/backup/shop/F2"


def test_what_goes_by_all_backups_counts_them(machine):
    made = machine(f"{STORE[:-1]}, schedule: {{full: 15 2 * * *, logical: 15 3 * * *}}}}")
    found = status_command(made.request, None).data
    assert (found["backups"], found["bytes"], found["newest"]) == (2, 20, "F2")
    states = {each["job"]: each["done_at"] for each in schedule_command(made.request, None).data["jobs"]}
    assert states == {"full": spelled(NOW - timedelta(hours=1)), "logical": None}
    shown = show_command(made.request, None, dump(made)).data
    found = status_command(made.request, None).data
    assert (found["backups"], found["bytes"], found["newest"]) == (3, 20 + shown["bytes"], "F2")
    states = {each["job"]: each["done_at"] for each in schedule_command(made.request, None).data["jobs"]}
    assert states == {"full": spelled(NOW - timedelta(hours=1)), "logical": shown["finished_at"]}
    kinds = [each.kind for each in seen(open_backups(made.request, None), None).backups]
    assert kinds == [Kind.FULL, Kind.FULL, Kind.LOGICAL]


def test_a_dump_beside_a_store_says_that_it_is_on_this_machine_alone(machine):
    made = machine()
    said = [line.text for line in dump_command(made.request, None, print).blocks]
    assert said[1:] == ["It is on this machine alone, and not in s3://shop: keep a copy of it elsewhere."]


def test_beside_a_folder_of_pgbackrest_nothing_else_is_touched(machine):
    made = machine(HERE)
    own = made.repository() / "pgbackrest"
    own.mkdir(parents=True)
    own.chmod(0o2770)
    made.repository().chmod(0o750)
    before = made.repository().stat()
    said = dump_command(made.request, None, print)
    assert len(said.blocks) == 1
    after, inside = made.repository().stat(), own.stat()
    assert (after.st_mode, after.st_gid, oct(inside.st_mode)[-4:]) == (before.st_mode, before.st_gid, "2770")
    assert names(own) == []
    assert verify_command(made.request, None, None, print).exit_code == 0


def test_a_byte_that_changed_in_a_dump_is_found_by_all_that_reads_it(machine):
    made = machine()
    identifier = dump(made)
    assert verify_command(made.request, None, None, print).data["verified"] == ["F1", "F2", identifier]
    changed = made.repository() / "backups" / identifier / "data" / "app" / "toc.dat"
    changed.write_text("rowz\n")
    for which in (identifier, None):
        found = verify_command(made.request, None, which, print)
        said = [{"what": identifier, "reason": "data/app/toc.dat: its bytes are not those of the backup"}]
        assert (found.exit_code, found.data["findings"]) == (41, said)
    assert show_command(made.request, None, identifier).data["status"] == Status.DAMAGED
    with pytest.raises(Damaged, match=r"data/app/toc\.dat"):
        restore(made, identifier)
    changed.write_text("rows\n")
    assert verify_command(made.request, None, None, print).exit_code == 0
    assert show_command(made.request, None, identifier).data["status"] == Status.OK


@pytest.mark.parametrize(
    ("encryption", "anew"), [("off", "take a new one: stackctl backup --logical"), ("on", "keep the others")]
)
def test_for_a_damaged_dump_another_one_is_taken_where_that_is_not_refused(machine, encryption, anew):
    made = machine(f"{STORE[:-1]}, encryption: {encryption}}}")
    identifier = dumped(made, 24)
    (made.repository() / "backups" / identifier / "data").rmdir()
    (problem,) = verify_command(made.request, None, identifier, print).errors
    assert problem.hint == f"do not rely on it; {anew}"


def test_a_dump_whose_record_is_lost_is_told_by_the_reading_of_everything(machine):
    made = machine()
    broken, gone = dumped(made, 48), dumped(made, 24)
    (made.repository() / "backups" / broken / "backup.json").write_text("{}")
    (made.repository() / "backups" / gone).rename(made.repository() / "backups" / "moved")
    found = verify_command(made.request, None, None, print)
    assert (found.exit_code, [each["what"] for each in found.data["findings"]]) == (41, [broken, "backups/moved"])
    assert [each.message[: len(broken)] for each in list_command(made.request, None).warnings] == [broken]


def restore(made, identifier, table="tools"):
    into = made.folder / "copy"
    return restore_dump_command(made.request, None, print, Wanted(identifier, into, Part(table=table)))


def test_a_store_that_is_away_hides_no_dump(machine):
    made = machine()
    identifier = dump(made)
    made.away, made.asked = True, []
    assert show_command(made.request, None, identifier).data["id"] == identifier
    assert verify_command(made.request, None, identifier, print).exit_code == 0
    made.asked = []
    with pytest.raises(RestoreRefused, match="the dump has no table nothing"):
        restore(made, identifier, "nothing")
    assert made.asked == [], "whoever asks it waits for 45 s"
    found = list_command(made.request, None)
    assert ([each["id"] for each in found.data["backups"]], found.exit_code) == ([identifier], 20)
    assert "the store cannot be reached" in found.errors[0].message
    with pytest.raises(EngineFailed, match="the store cannot be reached"):
        verify_command(made.request, None, None, print)


def test_without_a_dump_a_store_that_is_away_is_the_error_that_it_was(machine):
    made = machine()
    made.away = True
    with pytest.raises(EngineFailed, match="the store cannot be reached"):
        list_command(made.request, None)


@pytest.fixture
def stale(monkeypatch):
    """A folder, or a file, of a network disk that went away: the kernel gives nothing of it."""

    def lose(lost):
        def failing(first):
            def instead(place=".", *words, **more):
                if os.fspath(place) == str(lost):
                    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(lost))
                return first(place, *words, **more)

            return instead

        monkeypatch.setattr(os, "listdir", failing(os.listdir))
        monkeypatch.setattr(os, "open", failing(os.open))

    return lose


def test_a_folder_of_dumps_that_is_out_of_reach_keeps_nobody_from_the_store(machine, stale):
    made = machine()
    identifier = dump(made)
    folder = made.repository() / "backups"
    stale(folder)
    with open_backups(made.request, None).backups.working("stackctl backup", print):
        assert [each.id for each in open_backups(made.request, None).backups.stored().backups()] == ["F1", "F2"]
    found = list_command(made.request, None)
    assert ([each["id"] for each in found.data["backups"]], found.exit_code) == (["F1", "F2"], 0)
    assert [each.message for each in found.warnings] == [f"dumps: {folder}: Stale file handle"]
    assert unready_repository(made.project, made) == []
    told = noted_backups(made.project.work / noted.FOLDER)
    assert [each.id for each in told] == ["F1", "F2", identifier], "it may be there still"
    (made.project.work / noted.FOLDER / "backups.json").unlink()
    assert unready_repository(made.project, made) == []
    assert [each.id for each in noted_backups(made.project.work / noted.FOLDER)] == ["F1", "F2"]


def test_what_is_to_be_done_with_dumps_says_that_they_are_out_of_reach(machine, stale):
    made = machine()
    identifier = dump(made)
    folder = made.repository() / "backups"
    stale(folder)
    found = verify_command(made.request, None, None, print)
    assert (found.exit_code, found.data["verified"], found.data["findings"]) == (20, ["F1", "F2"], [])
    assert found.data["unread"] == [{"what": str(folder), "reason": "cannot be read: Stale file handle"}]
    for asked in (show_command, lambda *words: verify_command(*words, print)):
        with pytest.raises(EngineFailed, match=f"{identifier}: {folder}: Stale file handle"):
            asked(made.request, None, identifier)
    with pytest.raises(EngineFailed, match="Stale file handle"):
        restore(made, identifier)
    with pytest.raises(EngineFailed, match="Stale file handle"):
        dump(made)


def test_dumps_go_by_their_own_number_once_it_was_shown(machine):
    made = machine()
    older = [described("F0", 2, timestamp=stamped(1000)), described("F1", 2, timestamp=stamped(900))]
    made.backups[:1] = older
    first, second = dumped(made, 950), dumped(made, 940)
    shown = expire_command(made.request, None, print, apply=False)
    assert [each["id"] for each in shown.data["expired"]] == ["F0", first]
    assert listed(made) == ["F0", first, second, "F1", "F2"]
    kept = {each["id"]: each["reason"] for each in shown.data["kept"]}
    assert kept[second] == "one of the last 1 dump"
    assert expire_command(made.request, None, print, apply=True).exit_code == 0
    assert listed(made) == [second, "F1", "F2"]
    assert [words for words in made.told if "--set" in words[1]] == [["expire", "--set=F0"]]


def test_a_dump_that_nobody_can_read_keeps_nothing_else(machine, stale):
    """Its record is damaged, or the disk does not give it, or their folder is away: nothing is built on it."""
    made = machine()
    made.backups[:1] = [described("F0", 3, timestamp=stamped(1000)), described("F1", 4, timestamp=stamped(900))]
    broken, _ = dumped(made, 200), dumped(made, 100)
    record = made.repository() / "backups" / broken / "backup.json"
    record.write_text("{}")

    def judged():
        found = expire_command(made.request, None, print, apply=False)
        gone = [each["id"] for each in found.data["expired"]]
        return gone, found.data["wal"]["files"], [(each.message.split(":")[0], each.hint) for each in found.warnings]

    alone = "it is left alone; stackctl backup verify"
    # WAL begins with segment 2, and what stays with 4; pgBackRest lets that of the other cluster go, too.
    assert judged() == (["F0"], 3, [(broken, alone)])
    stale(record)
    assert judged() == (["F0"], 3, [(broken, alone)])
    stale(made.repository() / "backups")
    assert judged() == (["F0"], 3, [("dumps", alone)])
    assert expire_command(made.request, None, print, apply=True).data["applied"]
    assert [words for words in made.told if "--set" in words[1]] == [["expire", "--set=F0"]]


def test_one_that_is_kept_stays(machine):
    made = machine()
    first, _ = dumped(made, 200), dumped(made, 100)
    keep_command(made.request, None, print, first, "audit")
    assert expire_command(made.request, None, print, apply=True).data["expired"] == []
    assert show_command(made.request, None, first).data["kept"] == "audit"


def test_what_no_dump_can_be_is_refused_as_for_plain_files(machine):
    made = machine()
    identifier = dump(made)
    with pytest.raises(UsageError, match="is a dump"):
        drill_command(made.request, None, print, identifier)
    with pytest.raises(RestoreRefused, match="F2 is no dump"):
        restore(made, "F2")


@pytest.mark.parametrize(("running", "keys"), [(False, True), (True, False)])
def test_what_a_dry_run_cannot_ask_is_not_asked(machine, running, keys):
    """On a machine on which nothing ran yet, an image that is missing would be an error of Docker's."""
    made = machine()
    made.running, made.at_hand = lambda: running, lambda: False
    if keys:
        made.project.repository_keys.mkdir(parents=True)
        (made.project.repository_keys / "keys.conf").touch()
    before = sorted(made.folder.rglob("*"))
    wanted = Restored("latest", None, made.folder / "copy")
    with pytest.raises(RestoreRefused, match="programs and keys for the repository are not on this machine") as refused:
        restore_command(made.request, None, print, wanted, dry_run=True)
    assert (refused.value.hint, made.asked) == ("stackctl up brings them here", [])
    assert sorted(made.folder.rglob("*")) == before


@pytest.mark.parametrize("section", ["{encryption: on}", f"{STORE[:-1]}, encryption: on}}"])
def test_none_is_taken_beside_encrypted_backups(machine, section):
    made = machine(section)
    with pytest.raises(UsageError, match=r"^backup\.encryption: a dump is not encrypted"):
        dump(made)
    assert not made.repository().exists()


@pytest.mark.parametrize("section", [STORE, HERE])
def test_without_dumps_nothing_is_made_beside_the_backups(machine, section):
    made = machine(section)
    assert listed(made) == ["F1", "F2"]
    for shared in (False, True):
        with open_backups(made.request, None).backups.working("stackctl backup", print, shared=shared):
            pass
    with pytest.raises(UsageError, match="there is no backup '000001-logical'"):
        restore(made, "000001-logical")
    assert not made.repository().exists()


def test_of_the_native_engine_that_had_the_folder_before_only_dumps_are_its_own(machine):
    made = machine()
    before = Repository(made.repository())
    identifier = dumped(made, 48)
    other, folder = before.begin(Kind.FULL, NOW)
    before.finish(folder, Backup(other, Kind.FULL, "native", NOW, NOW, 0, 17, str(SYSTEM), ""))
    assert listed(made) == ["F1", identifier, "F2"]
    assert dump(made).startswith("000003-")
    with pytest.raises(UsageError, match="there is no backup"):
        show_command(made.request, None, other)


@pytest.mark.parametrize("finished", [False, True])
def test_what_an_interrupted_dump_left_is_removed_by_the_next_run_that_works_on_them(machine, finished):
    made = machine()
    plain, said = Repository(made.repository()), []
    plain.create()
    identifier = dumped(made, 24) if finished else ""
    half, folder = plain.begin(Kind.LOGICAL, NOW)
    with open_backups(made.request, None).backups.working("stackctl backup", said.append):
        assert folder.exists(), "it may be of another project that has the folder too"
    assert verify_command(made.request, None, None, said.append).exit_code == 0
    assert (said[:1], made.ended) == ([f"removed what an interrupted run left of {half}"], [folder])
    if finished:
        _, folder = plain.begin(Kind.LOGICAL, NOW)
        keep_command(made.request, None, print, identifier, "audit")
        assert not folder.exists()


def test_what_another_project_is_at_in_the_folder_is_left_alone(machine):
    """Two projects may name one folder, and one of them have plain files."""
    made = machine()
    other = Repository(made.repository())
    other.create()
    _, folder = other.begin(Kind.FULL, NOW)
    with other.locked("stackctl backup of another"):
        with open_backups(made.request, None).backups.working("stackctl backup", print):
            pass
        with pytest.raises(Locked, match="stackctl backup of another"):
            dump(made)
    assert folder.exists()


def test_it_is_waited_for_only_to_work_on_dumps(machine):
    """One dump, whoever's it is, keeps no backup, no drill and no restore of the other kind from the store."""
    made = machine()
    made.backups[:1] = [described("F0", 2, timestamp=stamped(1000)), described("F1", 2, timestamp=stamped(900))]
    identifier = dumped(made, 950)
    other = Repository(made.repository())
    with other.locked("stackctl backup of another"):
        with open_backups(made.request, None).backups.working("stackctl backup", print):
            pass
        assert verify_command(made.request, None, "F2", print).exit_code == 0
        keep_command(made.request, None, print, "F2", "audit")
        assert expire_command(made.request, None, print, apply=True).exit_code == 0
        assert listed(made) == [identifier, "F1", "F2"]
        dumped(made, 940)
        made.told = []
        for asked in (
            lambda: verify_command(made.request, None, identifier, print),
            lambda: verify_command(made.request, None, None, print),
            lambda: keep_command(made.request, None, print, identifier, "audit"),
            lambda: expire_command(made.request, None, print, apply=True),
        ):
            with pytest.raises(Locked, match="stackctl backup of another"):
                asked()
        assert made.told == [], "nothing was read for long in vain"
    assert expire_command(made.request, None, print, apply=True).exit_code == 0
    assert identifier not in listed(made)


def test_one_run_of_a_project_at_a_time_dumps_too(machine):
    made = machine()
    with (
        open_backups(made.request, None).backups.dumping("stackctl backup --logical", print),
        pytest.raises(Locked, match=r"^stackctl backup --logical "),
        open_backups(made.request, None).backups.working("stackctl backup", print),
    ):
        pass


def test_restores_of_dumps_go_beside_each_other(machine):
    made = machine()
    dump(made)
    one, other = (open_backups(made.request, None).backups for _ in range(2))
    with one.dumping("stackctl restore", print, shared=True), other.dumping("stackctl restore", print, shared=True):
        pass
