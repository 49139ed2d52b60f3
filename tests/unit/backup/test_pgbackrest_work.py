"""What pgBackRest is told to do when backups are kept, expire and are drilled; and what is left of a killed run."""

import json
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pgbackrest_server import DENIED, SYSTEM, Server, described
from stackctl.backup.model import Kind, Status
from stackctl.backup.noted import noted_backups
from stackctl.backup.pgbackrest.engine import PgBackRestEngine
from stackctl.backup.pgbackrest.info import notes, read_info
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.protocol import AWAY
from stackctl.backup.restore import Replay, nothing
from stackctl.backup.restore_plan import Candidate, choose
from stackctl.backup.target import Target
from stackctl.backup.verify import Unread
from stackctl.backup.wal_name import lsn
from stackctl.backup.windows import Window
from stackctl.engine import noted
from stackctl.engine.runner import Completed
from stackctl.errors import BackupFailed, Damaged, EngineFailed

AT = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)


def engine(server, folder):
    hold = lambda _what, _shared, tidy: nullcontext(tidy())  # noqa: E731
    return PgBackRestEngine(Tool(server, "shop", "s3://shop"), folder, lambda: AT, hold)


TWO = (described("F1", 2), described("F1_I1", 3, "incr", "F1"), described("F2", 4))


def test_what_is_known_of_a_backup_comes_back_from_its_annotations():
    (backup,) = read_info(
        json.dumps([{"db": [{"id": 1, "system-id": 1, "version": "17"}], "backup": [TWO[0]]}])
    ).backups
    known = replace(backup, drilled_at=AT, rto_seconds=4.5, rpo_seconds=0.0, kept="audit = 2026", drill_failed="")
    known = replace(known, drill_tried_at=AT, drill_failing="sql:orders_today")
    stated = {name: text for name, text in notes(known).items() if text}
    again = [{"db": [{"id": 1, "system-id": 1, "version": "17"}], "backup": [{**TWO[0], "annotation": stated}]}]
    assert read_info(json.dumps(again)).backups == [known]
    broken = notes(replace(known, status=Status.DAMAGED, drill_failed="amcheck: x"))
    assert (broken["stackctl-damaged"], broken["stackctl-drill-failed"]) == ("yes", "amcheck: x")


def test_wal_before_all_that_stay_is_unneeded_and_all_of_a_cluster_that_is_no_more(tmp_path):
    stored = engine(Server(*TWO), tmp_path).stored()
    first, _, last = stored.backups()
    assert stored.unneeded([first, last]) == (1, 7)
    assert stored.unneeded([last]) == (3, 21)
    assert stored.unneeded([]) == (1, 7), "the present cluster may get its first backup"
    assert stored.built_bytes([first]) == 1000
    assert stored.wal_bytes() == 35


def test_backups_go_one_by_one_and_wal_by_the_number_of_full_ones_that_stay(tmp_path):
    server = Server(*TWO)
    mine = engine(server, tmp_path)
    first, incremental, last = mine.stored().backups()
    mine.expire([first, incremental], [last], wal=True)
    wal = ["expire", "--repo1-retention-archive=1", "--repo1-retention-archive-type=full"]
    assert server.told == [["expire", "--set=F1_I1"], ["expire", "--set=F1"], wal]


def labels(server):
    return [each["label"] for each in server.backups]


def test_a_backup_that_came_meanwhile_costs_no_other_one(tmp_path):
    """One more full backup than was counted, as another machine takes it: nothing goes that was not shown."""
    server = Server(*TWO, meanwhile=[described("F3", 6)])
    mine = engine(server, tmp_path)
    first, incremental, last = mine.stored().backups()
    mine.expire([first, incremental], [last], wal=True)
    assert labels(server) == ["F2", "F3"]
    assert server.told[-1][1:] == ["--repo1-retention-archive=2", "--repo1-retention-archive-type=full"]


def test_what_was_built_meanwhile_on_one_that_is_to_go_keeps_it(tmp_path):
    server = Server(*TWO, meanwhile=[described("F1_I2", 6, "incr", "F1")])
    mine = engine(server, tmp_path)
    first, incremental, last = mine.stored().backups()
    with pytest.raises(EngineFailed, match="F1_I2 was built on F1 meanwhile"):
        mine.expire([first, incremental], [last], wal=True)
    assert labels(server) == ["F1", "F2", "F1_I2"]


@pytest.mark.parametrize(("stay", "wal"), [(1, False), (0, True)])
def test_wal_stays_where_it_is_to_stay_and_where_nothing_says_what_is_needed(tmp_path, stay, wal):
    server = Server(*TWO)
    mine = engine(server, tmp_path)
    mine.expire([], mine.stored().backups()[2 : 2 + stay], wal=wal)
    assert server.told == []


def test_a_drill_reads_the_backup_back_before_it_is_copied(tmp_path):
    bad = "stanza: shop\nstatus: error\n  backup: F2, status: invalid, total files checked: 2, total valid files: 1\n"
    bad += "    missing: 0, checksum invalid: 1, size invalid: 0, other: 0\n"
    server = Server(*TWO, verify=bad)
    mine = engine(server, tmp_path)
    with pytest.raises(Damaged, match="F2: 1 files not as they were written"), mine.workshop(1, print) as workshop:
        workshop.build(mine.stored().backups()[2])
    assert server.told == []
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_goes_away_is_no_damage(tmp_path):
    server = Server(*TWO, fails=["restore"])
    mine = engine(server, tmp_path)
    with pytest.raises(EngineFailed, match="cannot be reached"), mine.workshop(1, print) as workshop:
        workshop.build(mine.stored().backups()[2])
    assert list(tmp_path.iterdir()) == []


def copies(private):
    """What there is besides what is written down of the backups."""
    return [path.name for path in private.iterdir() if path.name != noted.FOLDER]


def test_what_a_killed_drill_left_is_ended_and_removed(tmp_path):
    (tmp_path / ".restore-abc" / "data").mkdir(parents=True)
    server, said = Server(), []
    with engine(server, tmp_path).working("stackctl backup", said.append):
        pass
    assert server.ended == [tmp_path / ".restore-abc"]
    assert copies(tmp_path) == []
    assert said == ["removed what an interrupted run left of .restore-abc"]


def test_a_backup_that_a_killed_run_left_at_work_is_ended_first(tmp_path):
    """At its end it would write over what is noted of backups meanwhile."""
    server, said = Server(orphans=True), []
    mine = engine(server, tmp_path)
    with mine.working("stackctl backup keep", said.append):
        assert not server.orphans
    with mine.working("stackctl backup keep", said.append):
        pass
    assert said == ["ended what an interrupted run had left at work"]


KILLED = """
import sys
from pathlib import Path
from types import SimpleNamespace
from stackctl.backup.pgbackrest.copies import near
with near(Path(sys.argv[1]), SimpleNamespace(group=lambda: -1), Path(sys.argv[2])) as folder:
    (folder / "data").mkdir()
    print("begun", flush=True)
    sys.stdin.read()
"""


def killed_restore(place, private):
    """A restore into a folder of `place` that is killed in the middle of the copy."""
    words = [sys.executable, "-c", KILLED, str(place), str(private)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"begun\n"
        process.kill()


def test_the_copy_of_a_killed_restore_is_removed_wherever_it_was_to_go(tmp_path):
    private, elsewhere = tmp_path / ".stackctl", tmp_path / "elsewhere"
    private.mkdir()
    elsewhere.mkdir()
    server, said = Server(*TWO), []
    killed_restore(elsewhere, private)
    (left,) = elsewhere.iterdir()
    assert (left / "data").is_dir()
    with engine(server, private).working("stackctl backup", said.append):
        pass
    assert (server.ended, list(elsewhere.iterdir()), copies(private)) == ([left], [], [])
    assert said == [f"removed what an interrupted run left of {left.name}"]


def test_a_copy_on_a_disk_that_is_away_is_removed_when_it_is_back(tmp_path):
    private, disk = tmp_path / ".stackctl", tmp_path / "disk"
    private.mkdir()
    disk.mkdir()
    server, said = Server(*TWO), []
    killed_restore(disk, private)
    disk.rename(tmp_path / "unplugged")
    with engine(server, private).working("stackctl backup", said.append):
        pass
    assert "is out of reach" in said[0]
    (tmp_path / "unplugged").rename(disk)
    with engine(server, private).working("stackctl backup", said.append):
        pass
    assert (list(disk.iterdir()), copies(private)) == ([], [])


def test_a_list_may_take_as_long_as_the_store_takes(tmp_path):
    """A large archive on a slow one: 600 folders at 100 ms each are a minute, and there may be many more."""
    server = Server(*TWO, slow=3600.0)
    stored = engine(server, tmp_path).stored()
    assert len(stored.backups()) == 3
    assert stored.wal_bytes() == 35


def test_what_took_too_long_is_not_called_out_of_reach(tmp_path):
    with pytest.raises(EngineFailed, match="pgbackrest info took more than 86400 s") as caught:
        engine(Server(*TWO, slow=1e9), tmp_path).stored().backups()
    assert "cannot be reached" not in str(caught.value)


@pytest.mark.parametrize(
    ("backups", "sentence"),
    [
        ((), "there is no good backup to build on"),
        ((TWO[0], described("F2", 4, error=True)), "F2 is not good to build on"),
    ],
)
def test_an_incremental_one_is_not_built_on_what_is_damaged(tmp_path, backups, sentence):
    """pgBackRest itself takes the newest, whatever was found of it since."""
    server = Server(*backups)
    with pytest.raises(BackupFailed, match=sentence) as caught:
        engine(server, tmp_path).take(Kind.INCREMENTAL, print, gently=True)
    assert caught.value.hint == "stackctl backup takes a full one"
    assert server.told == []


def test_code_in_a_copy_comes_near_neither_the_keys_nor_a_network(tmp_path):
    """The queries of a drill, and what is looked into before a switch, run as the administrator."""
    served = []

    class Apart(Server):
        def __init__(self, reaching=None):
            super().__init__(*TWO)
            self.reaching = reaching

        def with_repository(self):
            return Apart("the repository")

        def own(self, _path):
            pass

        @contextmanager
        def serve(self, _data, settings, _folders, _timeout):
            mine = self

            class Copy:
                reaches = mine.reaching

                def query(self, _sql):
                    return [{"lsn": None, "now": "0/4000158", "time": None}]

            served.append((self.reaching, "restore_command" in settings, settings.get("archive_command")))
            yield Copy()

    mine, seen = engine(Apart(), tmp_path), []
    with mine.workshop(None, print) as workshop:
        data = tmp_path / "data"
        data.mkdir()
        how = Replay(live=True, inspect=lambda server: seen.append(server.reaches))
        restored = workshop.replay(mine.stored().backups()[1], data, None, how)
        with workshop.programs.serve(data, {}, [], 1) as server:
            seen.append(server.reaches)
    assert str(restored.reached) == "0/4000158"
    assert served[:2] == [("the repository", True, ""), (None, False, "")]
    assert seen == [None, None]


def verified(server, folder, **how):
    mine = engine(server, folder)
    found = mine.verify(mine.stored().backups(), **{"everything": True, "note": print, **how})
    return [(each.what, each.reason) for each in found]


def marks(server):
    """What was noted of damage, by backup."""
    return {
        words[1].removeprefix("--set="): "--annotation=stackctl-damaged=yes" in words
        for words in server.told
        if words[0] == "annotate"
    }


def test_nothing_wrong_is_nothing_said(tmp_path):
    server = Server(*TWO)
    assert verified(server, tmp_path) == []
    assert marks(server) == {"F1": False, "F1_I1": False, "F2": False}


@pytest.mark.parametrize(
    ("verify", "sentence"),
    [
        ("stanza: shop\nstatus: error\n  No usable backup.info file\n", "pgbackrest did not read it"),
        (
            "stanza: shop\nstatus: error\n  backup and archive history lists do not match\n",
            "pgbackrest did not read it",
        ),
        ("stanza: shop\nstatus: ok\n  no archives or backups exist in the repo\n", "pgbackrest did not read it"),
    ],
)
def test_what_pgbackrest_did_not_read_is_not_called_good(tmp_path, verify, sentence):
    """It ends with 0 all the same."""
    server = Server(*TWO, verify=verify)
    assert {("F1", sentence), ("F2", sentence)} <= set(verified(server, tmp_path))
    assert set(marks(server).values()) == {True}


def test_what_another_machine_took_or_let_go_meanwhile_is_no_damage(tmp_path):
    """pgBackRest lists them when it begins, and reads for hours."""
    server = Server(*TWO)
    mine, first = engine(server, tmp_path), server.run

    def run(program, *words, **how):
        done = first(program, *words, **how)
        if "verify" in words:
            server.backups = [*server.backups[:2], described("F3", 5)]
        return done

    server.run = run
    assert mine.verify(mine.stored().backups()[:2], everything=True, note=print) == []


SEGMENT = "000000010000000000000004"
NAMED = (
    f"2026-11-22 14:32:36.443 P02   INFO: invalid result 17-1/0000000100000000/{SEGMENT}-{'0' * 40}.zst: "
    "[29] raised from local-2 protocol: zst error: [-20] Data corruption detected\n"
)
COUNTED = "  archiveId: 17-1, total WAL checked: 4, total valid WAL: 3\n"
COUNTED += "    missing: 0, checksum invalid: 0, size invalid: 0, other: 1\n"


def test_damaged_wal_is_named_and_marks_the_backup_that_needs_it(tmp_path):
    """F2 is of that segment, and pgBackRest calls it valid."""
    server = Server(*TWO)
    server.verify = NAMED + server.checked([]).replace("status: ok\n", f"status: error\n{COUNTED}", 1)
    found = verified(server, tmp_path)
    assert found == [
        (SEGMENT, "cannot be read: zst error: [-20] Data corruption detected"),
        ("F2", f"it needs {SEGMENT}, which is damaged"),
    ]
    assert marks(server) == {"F1": False, "F1_I1": False, "F2": True}
    assert [each.what for each in engine(server, tmp_path).verify_wal(print)] == [SEGMENT]


def test_a_store_that_goes_away_while_it_is_read_is_no_damage(tmp_path):
    away = NAMED.replace("[29]", "[49]").replace("zst error: [-20] Data corruption", "unable to connect to 'x:443'")
    server = Server(*TWO)
    server.verify = away + server.checked([]).replace("status: ok", "status: error")
    with pytest.raises(EngineFailed, match="cannot be reached"):
        verified(server, tmp_path)
    assert marks(server) == {}


def unread(found):
    return [(each.what, each.reason) for each in found if isinstance(each, Unread)]


def annotated(server):
    """What was noted of backups, by what: the time of the verification, and whether it is damaged."""
    return {
        words[1].removeprefix("--set="): [word.split("=", 1)[1] for word in words[2:] if "sums" not in word]
        for words in server.told
        if words[0] == "annotate"
    }


def test_wal_that_cannot_be_read_marks_no_backup_and_moves_no_time(tmp_path):
    server = Server(*TWO)
    said = re.sub(r"\[29\] (.*: ).*", rf"[41] \1{DENIED}", NAMED, count=1)
    server.verify = said + server.checked([]).replace("status: ok\n", f"status: error\n{COUNTED}", 1)
    mine = engine(server, tmp_path)
    found = mine.verify(mine.stored().backups(), everything=True, note=print)
    needs = ("F2", f"it needs {SEGMENT}, which cannot be read")
    assert unread(found) == [(SEGMENT, "cannot be read: Permission denied"), needs]
    assert len(found) == 2
    assert annotated(server) == {"F1": ["stackctl-damaged="], "F1_I1": ["stackctl-damaged="]}


def test_a_backup_that_cannot_be_read_keeps_what_is_noted_of_it(tmp_path):
    """The others are verified; of the one without a manifest pgBackRest only says that it is invalid."""
    paths = [f"backup/shop/F2/backup.manifest{end}" for end in ("", ".copy")]
    server = Server(*TWO, denied=paths)
    silent = "backup: F2, status: invalid, total files checked: 0, total valid files: 0\n"
    server.verify = re.sub(r"backup: F2.*\n.*\n", silent, server.checked([])).replace("status: ok", "status: error")
    mine = engine(server, tmp_path)
    found = mine.verify(mine.stored().backups(), everything=True, note=print)
    names = ("backup.manifest", "backup.manifest.copy")
    assert unread(found) == [("F2", f"{name}: cannot be read: Permission denied") for name in names]
    assert len(found) == 2
    good = ["stackctl-verified=2026-11-01T02:00:00Z", "stackctl-damaged="]
    assert annotated(server) == {"F1": good, "F1_I1": good}


def test_a_first_segment_that_cannot_be_read_is_no_damage(tmp_path):
    server = Server(*TWO, verify="", code=41)
    first = server.run
    said = f"P00  ERROR: [041]: {DENIED}\n"
    server.run = lambda program, *words, **how: (
        Completed((), 41, said, "") if "verify" in words else first(program, *words, **how)
    )
    mine = engine(server, tmp_path)
    found = mine.verify(mine.stored().backups()[:1], everything=False, note=print)
    assert [each.what for each in found] == ["000000010000000000000002", "F1", "F1"]
    assert unread(found) == [(each.what, each.reason) for each in found]
    assert annotated(server) == {}
    with pytest.raises(EngineFailed, match="Permission denied"), mine.workshop(1, print) as workshop:
        workshop.build(mine.stored().backups()[0])


# How one ends that was killed, by itself or in a process of its own, that was asked to, or that Docker did not start.
CUT_SHORT = (
    (137, "2026-11-22 14:32:36.443 P00   INFO: verify command begin 2.55.1\n", ""),
    (63, "2026-11-22 14:32:36.443 P00  ERROR: [063]: terminated on signal [SIGTERM]\n", ""),
    (32, "2026-11-22 14:32:36.443 P00  ERROR: [032]: local-1 process terminated unexpectedly on signal [9]\n", ""),
    (125, "", "docker: Error response from daemon: no space left on device\n"),
    (-9, "", ""),
)


@pytest.mark.parametrize(("code", "said", "error"), CUT_SHORT)
def test_a_verification_that_was_ended_says_nothing_of_what_it_was_to_read(tmp_path, code, said, error):
    server = Server(*TWO)
    first = server.run
    server.run = lambda program, *words, **how: (
        Completed((), code, said, error) if "verify" in words else first(program, *words, **how)
    )
    mine = engine(server, tmp_path)
    for everything in (True, False):
        with pytest.raises(EngineFailed, match=f"pgbackrest ended with {code}") as caught:
            mine.verify(mine.stored().backups(), everything=everything, note=print)
        assert "dmesg" in caught.value.hint
    with pytest.raises(EngineFailed) as caught, mine.workshop(1, print) as workshop:
        workshop.build(mine.stored().backups()[0])
    assert caught.value.problems[0].code == AWAY, "a drill ends with it, and leaves the backup's status alone"
    assert annotated(server) == {}


@pytest.mark.parametrize("said", ["", "ERROR: [063]: terminated on signal [SIGTERM]"])
def test_nor_does_a_file_the_reading_of_which_was_ended(tmp_path, said):
    code, path = 63 if said else 137, "backup/shop/F2/backup.manifest"
    server = Server(*TWO, cut_short={path: (code, said)})
    with pytest.raises(EngineFailed, match=f"pgbackrest ended with {code}"):
        verified(server, tmp_path)
    assert annotated(server) == {}


def test_a_damaged_first_segment_ends_it_and_the_backups_are_read_one_by_one(tmp_path):
    server = Server(*TWO, verify="", code=29)
    server.run_verify = server.run

    def run(program, *words, **how):
        if "verify" not in words:
            return server.run_verify(program, *words, **how)
        if any(word.startswith("--set=") for word in words):
            return Completed((), 0, server.checked(words), "")
        return Completed((), 29, "P00  ERROR: [029]: zst error: [-10] Unknown frame descriptor\n", "")

    server.run = run
    assert [what for what, _ in verified(server, tmp_path)] == ["repository"], (
        "there are two archives, and it names none"
    )
    server.code = 0


def test_a_backup_without_its_wal_is_of_no_use(tmp_path):
    server = Server(*TWO, described("F3", 7))
    assert verified(server, tmp_path) == [("F3", "it needs 000000010000000000000007, which is missing")]
    assert marks(server)["F3"] is True


@pytest.mark.parametrize(
    ("path", "finding"),
    [
        ("backup/shop/backup.info.copy", ("backup.info", "is not what its copy is: one of them is damaged")),
        ("archive/shop/archive.info", ("archive.info", "is not what its copy is: one of them is damaged")),
        ("backup/shop/F2/backup.manifest", ("F2", "backup.manifest: is not what its copy is: one of them is damaged")),
    ],
)
def test_a_list_that_is_not_what_its_copy_is(tmp_path, path, finding):
    """pgBackRest takes the other one, and says nothing."""
    assert verified(Server(*TWO, sums={path: "2" * 40}), tmp_path) == [finding]
    broken = verified(Server(*TWO, sums={path: ""}), tmp_path)
    assert [reason.endswith("cannot be read: unable to flush") for _, reason in broken] == [True]


def test_what_has_no_checksum_is_compared_with_what_was_noted(tmp_path):
    """A history and a label: of them pgBackRest reads nothing."""
    label, history = f"17-1/0000000100000000/{SEGMENT}.00000028.backup", "17-1/00000002.history"
    noted = {"stackctl-sums": f"00000002.history={'1' * 40} {SEGMENT}.00000028.backup={'1' * 40}"}
    known = (*TWO[:2], described("F2", 4, annotation=noted))
    assert verified(Server(*known, extra=(label, history)), tmp_path) == []
    assert verified(Server(*known), tmp_path) == [
        (f"{SEGMENT}.00000028.backup", "is missing"),
        ("00000002.history", "is missing"),
    ]
    changed = Server(*known, extra=(label, history), sums={f"archive/shop/{history}": "2" * 40})
    assert verified(changed, tmp_path) == [("00000002.history", "its bytes are not those that were written")]
    (again,) = [words for words in changed.told if words[1] == "--set=F2"]
    assert f"00000002.history={'1' * 40}" in again[-1], "what was noted first stays"


def test_a_timeline_that_branched_off_without_a_history(tmp_path):
    paths = tuple(f"17-1/0000000200000000/0000000200000000{n:08X}-{'0' * 40}.zst" for n in (5, 6))
    assert verified(Server(*TWO, extra=paths), tmp_path) == [("00000002.history", "is missing")]


def test_a_backup_of_damaged_pages_fails_and_names_them(tmp_path):
    """pgBackRest warns, ends with 0, and says in its list that there was an error."""
    said = "P00   INFO: new backup label = F2\n"
    said += "P01   WARN: invalid page checksum found in file /var/lib/data/base/5/16384 at page 3\n"
    server = Server(TWO[0], described("F2", 4, error=True), says=said)
    server.query = lambda _sql: [{"system": str(SYSTEM), "postgres": "17", "since": 1}]
    with pytest.raises(BackupFailed, match=r"F2 holds damaged pages .*/base/5/16384 at page 3") as caught:
        engine(server, tmp_path).take(Kind.FULL, print, gently=True)
    assert caught.value.exit_code == 40


def test_a_new_backup_is_not_at_fault_for_what_is_wrong_with_others(tmp_path):
    """An old history, a copy of a list: `backup verify` tells of them."""
    paths = tuple(f"17-1/0000000200000000/0000000200000000{n:08X}-{'0' * 40}.zst" for n in (5, 6))
    wrong = Server(*TWO, extra=paths, sums={"archive/shop/archive.info": "", "backup/shop/F1/backup.manifest": ""})
    mine = engine(wrong, tmp_path)
    assert mine.verify(mine.stored().backups()[2:], everything=False, note=print) == []


def reaching(mine, end, **how):
    backup = mine.stored().backups()[0]
    return choose([Candidate(backup, Window(backup.id, backup.wal_stop, lsn(end), 1), 1)], Target(), **how)


def test_recovery_to_the_end_that_ends_before_it_is_no_restore(tmp_path):
    """PostgreSQL takes the first record that is not sound for the end of the WAL, and says nothing."""
    server = Server(*TWO)
    mine = engine(server, tmp_path)
    with (
        pytest.raises(Damaged, match="ended at 0/2000100, and the WAL goes on to 0/6000000") as caught,
        mine.restoring(reaching(mine, "0/6000000"), Target(), tmp_path / "copy", nothing, print),
    ):
        pytest.fail("it was handed out")
    assert caught.value.hint.startswith("--backup F1 takes what is before it")
    assert list(tmp_path.iterdir()) == []
    for chosen in (reaching(mine, "0/6000000", named=True), reaching(mine, "0/2000200")):
        with mine.restoring(chosen, Target(), tmp_path / "copy", nothing, print) as done:
            assert str(done.restored.reached) == "0/2000100"


def test_recovery_knows_the_checksum_of_each_segment_and_of_histories_that_were_noted(tmp_path):
    noted = {"stackctl-sums": f"00000002.history={'1' * 40} backup.manifest={'2' * 40}"}
    server = Server(described("F1", 2, annotation=noted))
    mine = engine(server, tmp_path)
    place = tmp_path / "100% mine"
    place.mkdir()
    with mine.restoring(reaching(mine, "0/2000200"), Target(), place / "copy", nothing, print):
        segments = [f"00000001000000000000000{n} {'0' * 40}" for n in (2, 3, 4, 5)]
        assert server.known == [*segments, f"00000002.history {'1' * 40}"]
        words = shlex.split(server.settings["restore_command"])
        assert words[0] == "sh"
        assert words[1].startswith(f"{tmp_path}/100%% mine/.restore-")
        assert words[4:8] == ["archive/shop/17-1", "%f", "%p", "pgbackrest"]


def test_what_changes_backups_writes_down_what_there_is(tmp_path):
    """Where it failed too, as it may have changed something; what only reads writes nothing."""
    server, said = Server(*TWO), []
    mine = engine(server, tmp_path)
    with mine.working("stackctl restore", said.append, shared=True):
        pass
    assert not (tmp_path / noted.FOLDER).exists()
    with pytest.raises(EngineFailed), mine.working("stackctl backup", said.append):
        raise EngineFailed("no room", hint="")
    assert [each.id for each in noted_backups(tmp_path / noted.FOLDER)] == [each["label"] for each in TWO]
    del server.backups[1:]
    with mine.working("stackctl backup expire", said.append):
        pass
    assert [each.id for each in noted_backups(tmp_path / noted.FOLDER)] == [TWO[0]["label"]]
    assert said == []


def test_what_cannot_be_written_down_breaks_no_backup(tmp_path):
    (tmp_path / noted.FOLDER).write_text("a file")
    said = []
    with engine(Server(*TWO), tmp_path).working("stackctl backup", said.append):
        pass
    (line,) = said
    assert line.startswith("metrics of backups stay as they were: ")
