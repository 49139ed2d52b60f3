"""What pgBackRest says, as it said it in real runs, in our words."""

import json
import re
from datetime import UTC, datetime

import pytest

from stackctl.backup.model import Kind, Status
from stackctl.backup.pgbackrest.faults import explained
from stackctl.backup.pgbackrest.info import in_progress, read_info, read_listing
from stackctl.backup.pgbackrest.verify import findings
from stackctl.backup.verify import Finding, Unread
from stackctl.backup.wal_name import Segment, lsn
from stackctl.errors import Damaged, EngineFailed, Locked

# As `info --output=json` of 2.55 printed it.
STANZA = json.loads("""
{"archive": [{"database": {"id": 1, "repo-key": 1}, "id": "17-1", "max": "000000010000000000000004",
 "min": "000000010000000000000003"}], "backup": [{"annotation": {"stackctl-verified": "2026-11-22T07:17:58Z"},
 "archive": {"start": "0000000A0000000000000004", "stop": "0000000A0000000000000004"},
 "backrest": {"format": 5, "version": "2.55.1"}, "database": {"id": 1, "repo-key": 1}, "error": false,
 "info": {"delta": 31702916, "repository": {"delta": 3804800, "size": 3804800}, "size": 31702916},
 "label": "20261122-071748F", "lsn": {"start": "0/4000028", "stop": "0/4000158"}, "prior": null, "reference": null,
 "timestamp": {"start": 1795331868, "stop": 1795331875}, "type": "full"}], "cipher": "aes-256-cbc",
 "db": [{"id": 1, "repo-key": 1, "system-id": 7710891286501249046, "version": "17"}], "name": "demo",
 "repo": [{"cipher": "aes-256-cbc", "key": 1, "status": {"code": 0, "message": "ok"}}],
 "status": {"code": 0, "lock": {"backup": {"held": false}}, "message": "ok"}}
""")


def changed(**changes):
    backup = {**STANZA["backup"][0], **changes}
    return read_info(json.dumps([{**STANZA, "backup": [backup]}])).backups[0]


def test_a_backup_as_it_is_listed():
    found = read_info(json.dumps([STANZA]))
    (backup,) = found.backups
    assert found.fault == ""
    assert found.systems == {"17-1": "7710891286501249046"}
    assert found.present == ("7710891286501249046", "17")
    assert (backup.id, backup.kind, backup.engine, backup.parent) == ("20261122-071748F", Kind.FULL, "pgbackrest", None)
    assert backup.started_at == datetime(2026, 11, 22, 7, 17, 48, tzinfo=UTC)
    assert backup.finished_at == datetime(2026, 11, 22, 7, 17, 55, tzinfo=UTC)
    assert backup.verified_at == datetime(2026, 11, 22, 7, 17, 58, tzinfo=UTC)
    assert (backup.timeline, backup.wal_start, backup.wal_stop) == (10, lsn("0/4000028"), lsn("0/4000158"))
    assert (backup.bytes, backup.postgres, backup.system) == (3_804_800, 17, "7710891286501249046")
    assert backup.status is Status.OK


@pytest.mark.parametrize(
    "wrong", [{"error": True}, {"annotation": {"stackctl-damaged": "yes"}}], ids=["pages", "verification"]
)
def test_a_damaged_backup(wrong):
    """Pages that were broken when it was taken, and bytes that were found to be broken since."""
    assert changed(**wrong).status is Status.DAMAGED


@pytest.mark.parametrize("kind", ["incr", "diff"])
def test_an_incremental_backup(kind):
    backup = changed(type=kind, prior="20261122-071748F", annotation=None)
    assert (backup.kind, backup.parent, backup.verified_at) == (Kind.INCREMENTAL, "20261122-071748F", None)


def test_nothing_yet_and_nothing_to_be_read():
    assert read_info("[]").backups == []
    silent = {**STANZA, "backup": [], "db": [], "repo": [{"status": {"code": 99, "message": "[HostConnectError] x"}}]}
    assert read_info(json.dumps([silent])).fault == "[HostConnectError] x"
    raw = json.dumps([silent]).replace("Error] x", "Error] \x04\ufffd")
    assert read_info(raw).fault == "[HostConnectError] \x04\ufffd", "it quotes what it cannot read as it is"
    missing = {**STANZA, "backup": [], "db": [], "repo": [{"status": {"code": 1, "message": "missing stanza path"}}]}
    assert (read_info(json.dumps([missing])).fault, read_info(json.dumps([missing])).bare) == ("", True)


@pytest.mark.parametrize(
    ("lock", "counted"),
    [
        # As 2.55 printed them before, in the middle of and after a backup of 2.8 GB.
        ({"held": True}, None),
        ({"held": True, "size": 2981831072, "size-cplt": 2147483648}, (2_147_483_648, 2_981_831_072)),
        ({"held": False}, None),
    ],
    ids=["counting", "copying", "over"],
)
def test_how_far_a_running_backup_is(lock, counted):
    said = {**STANZA, "status": {**STANZA["status"], "lock": {"backup": lock}}}
    assert in_progress(json.dumps([said])) == counted
    assert in_progress("[]") is None


def test_files_of_the_archive():
    sha = "403923e21522e9984345cdc76f802e8131ee205f"
    listed = {
        ".": {"type": "path"},
        "17-1/0000000100000000": {"type": "path"},
        f"17-1/0000000100000000/000000010000000000000003-{sha}.zst": {"type": "file", "size": 2288, "time": 1},
        f"17-1/0000000200000000/000000020000000000000004-{sha}": {"type": "file", "size": 12, "time": 1},
        "17-1/0000000100000000/000000010000000000000003.00000028.backup": {"type": "file", "size": 400, "time": 1},
        f"17-1/0000000100000000/000000010000000000000005.partial-{sha}.zst": {"type": "file", "size": 9, "time": 1},
        "17-1/00000002.history": {"type": "file", "size": 41, "time": 5},
        f"17-2/0000000100000000/000000010000000000000001-{sha}.lz4": {"type": "file", "size": 7, "time": 1},
        "archive.info": {"type": "file", "size": 360, "time": 1},
    }
    found = read_listing(json.dumps(listed))
    assert set(found) == {"17-1", "17-2"}
    assert found["17-1"].segments == {Segment(1, 3): 2288, Segment(2, 4): 12}
    assert found["17-1"].histories == {2: "17-1/00000002.history"}
    assert (found["17-1"].files, found["17-1"].size) == (3, 2341)
    assert found["17-1"].latest == 5
    assert found["17-2"].segments == {Segment(1, 1): 7}


VALID = """stanza: demo
status: ok
  archiveId: 17-1, total WAL checked: 2, total valid WAL: 2
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: 20261122-071748F, status: valid, total files checked: 1298, total valid files: 1298
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
"""


def test_what_verify_finds():
    assert findings(VALID) == []
    broken = VALID.replace("valid WAL: 2", "valid WAL: 1").replace("invalid: 0, size", "invalid: 1, size", 1)
    assert findings(broken, ["20261122-071748F"]) == [Finding("archive 17-1", "1 files not as they were written")]
    missing = VALID.replace("status: valid", "status: invalid").replace("missing: 0", "missing: 3")
    assert [finding.what for finding in findings(missing)] == ["archive 17-1", "20261122-071748F"]
    lost = VALID.replace("status: valid", "status: manifest missing")
    assert findings(lost) == [Finding("20261122-071748F", "pgbackrest says manifest missing")]


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("HTTP request failed with 404 (Not Found): <Code>NoSuchBucket</Code>", "repository"),
        ("failed with 403 (Forbidden): <Error><Code>InvalidAccessKeyId</Code>", "key_file"),
        ("failed with 403 (Forbidden): <Error><Code>SignatureDoesNotMatch</Code>", "secret_file"),
        ("unable to verify certificate presented by '10.0.0.1:443': [20] unable to get local issuer", "ca_file"),
        ("[HostConnectError] unable to connect to '10.0.0.1:443': [111] Connection refused", "endpoint"),
    ],
)
def test_a_fault_names_the_key_of_the_project_file(said, key):
    error = explained(f"P00  ERROR: [039]: {said}", "s3://shop")
    assert str(error).startswith(f"backup.{key}: s3://shop: ")
    assert (error.exit_code, bool(error.hint)) == (20, True)


@pytest.mark.parametrize(
    ("name", "said"), [("Format", "key/value found outside of section at line 1: x"), ("Crypto", "unable to flush")]
)
def test_another_passphrase_is_told_unless_ours_opens_another_list(name, said):
    text = LISTS.format(f"{name}Error", f"{name}Error: {said}")
    assert str(explained(text, "s3://shop")).startswith("backup.encryption: s3://shop: ")
    assert isinstance(explained(text, "s3://shop", opened=True), Damaged)


LISTS = "[{}] unable to load info file '/var/lib/stackctl/repository/archive/shop/archive.info' or '/x.copy':\n{}"


@pytest.mark.parametrize(
    "said",
    [
        # As they were in real runs.
        LISTS.format("FileMissingError", "FileMissingError: unable to open missing file '/x' for read"),
        LISTS.format("FormatError", "FormatError: missing '=' in key/value at line 10: db\ufffd"),
        LISTS.format("JsonFormatError", "JsonFormatError: required key 'backup-timestamp-start' not found"),
        "P00  ERROR: [095]: cipher block is damaged",
        "P00  ERROR: [029]: zst error: [-10] x\n2026-11-22 14:32:54.426 P00   INFO: unable to connect",
        "P00  ERROR: [055]: unable to open missing file '/a/backup/shop/F1/backup.manifest' for read",
        "P00  ERROR: [103]: unable to find a valid repository:\n  repo1: [CryptoError] unable to decrypt",
    ],
)
def test_damage_is_called_damage(said):
    error = explained(said, "s3://shop")
    assert isinstance(error, Damaged)
    assert (error.exit_code, error.problems[0].code) == (41, "damaged")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "P00   WARN: unable to check pg1: [DbConnectError] unable to connect to 'dbname=postgres': x\n"
            "2026-11-22 14:32:54.426 P00  ERROR: [056]: unable to find primary cluster - cannot proceed",
            "the database does not answer pgbackrest: unable to find primary cluster",
        ),
        (
            "P00  ERROR: [064]: unable to write '/srv/copy/data/base/1/2': [28] No space left on device",
            "pgbackrest: unable to write '/srv/copy/data/base/1/2': .28. No space left",
        ),
        (
            "P00  ERROR: [041]: unable to open file '/var/lib/postgresql/data/x' for read: [13] Permission denied",
            "pgbackrest: unable to open file '/var/lib/postgresql/data/x'",
        ),
        (
            "P00  ERROR: [041]: unable to open file '/var/lib/stackctl/repository/x' for read: [13] Permission denied",
            "backup.repository: /srv: cannot be read or written",
        ),
        ("P00  ERROR: [042]: timeout after 5000ms waiting for read from '10.0.0.1:443'", "the store cannot be reached"),
        ("P00  ERROR: [055]: unable to open missing file '/data/global/pg_control' for read", "^pgbackrest: "),
        ("P00   WARN: option 'encryption' x\nP00  ERROR: [082]: WAL was not archived", "^pgbackrest: WAL was not"),
    ],
)
def test_what_is_no_damage_is_blamed_on_what_it_is_of(said, sentence):
    error = explained(said, "/srv")
    assert isinstance(error, EngineFailed)
    assert re.search(sentence, str(error)), str(error)


def test_other_words_are_told_as_they_are():
    said = "2026-11-22 07:18 P00  ERROR: [082]: WAL segment 0A was not archived before the 60000ms timeout\n  HINT: x"
    assert "WAL segment 0A was not archived before" in str(explained(said, "/srv"))
    locked = explained("ERROR: [050]: unable to acquire lock on file '/tmp/x.lock': Resource unavailable", "/srv")
    assert isinstance(locked, Locked)


FULL, SEGMENT = "20261122-071748F", "000000010000000000000004"
WAL_FILE = f"17-1/0000000100000000/{SEGMENT}-{'0' * 40}.zst"
DENIED = "unable to open file '/r/x' for read: [13] Permission denied"


def reported(
    *lines, wal=(4, 4, "0, other: 0"), backup="valid, total files checked: 9, total valid files: 9\n", counts=""
):
    """What `verify` of 2.55 prints: a line for each file that is not as it must be, then the report."""
    said = [f"2026-11-22 14:32:36.443 P02   INFO: {line}\n" for line in lines]
    report = f"stanza: shop\nstatus: error\n  archiveId: 17-1, total WAL checked: {wal[0]}, total valid WAL: {wal[1]}\n"
    report += f"    missing: 0, checksum invalid: 0, size invalid: {wal[2]}\n  backup: {FULL}, status: {backup}{counts}"
    return "".join(said) + report


def failed(path, said, code=41):
    return f"invalid result {path}: [{code}] raised from local-2 protocol: {said}"


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (41, DENIED, "cannot be read: Permission denied"),
        (41, "unable to open file '/r/x' for read: [24] Too many open files", "cannot be read: Too many open files"),
        (42, "unable to read '/r/x': [5] Input/output error", "cannot be read: Input/output error"),
        (53, "unable to list file info for path '/r/x': [116] Stale file handle", "cannot be read: Stale file handle"),
    ],
)
def test_a_file_that_the_system_cannot_read_is_not_called_damaged(code, said, reason):
    text = reported(failed(WAL_FILE, said, code), wal=(4, 3, "0, other: 1"))
    (found,) = findings(text, [FULL])
    assert (type(found), found.what, found.reason) == (Unread, SEGMENT, reason)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (55, "unable to open missing file '/r/x' for read"),
        (41, "unable to open file '/r/x' for read: [20] Not a directory"),
        (41, "unable to open file '/r/x' for read: [40] Too many levels of symbolic links"),
        (42, "unable to read '/r/x': [21] Is a directory"),
        (42, "unexpected end of file"),
        (29, "zst error: [-20] Data corruption detected"),
        # The number alone is no reason.
        (95, "cipher: [5] Input/output error"),
    ],
)
def test_what_is_missing_no_file_or_not_sound_stays_damaged(code, said):
    text = reported(failed(WAL_FILE, said, code), wal=(4, 3, "0, other: 1"))
    assert findings(text, [FULL]) == [Finding(SEGMENT, f"cannot be read: {said}")]


def of_bundle(*lines, counts):
    more = f"    missing: 0, checksum invalid: {counts[0]}, size invalid: 0, other: {counts[1]}\n"
    text = reported(*lines, backup="invalid, total files checked: 9, total valid files: 7\n", counts=more)
    return [(type(each), each.reason) for each in findings(text, [FULL])]


def test_of_a_bundle_that_cannot_be_read_the_files_are_not_counted_as_damaged():
    """There is a line for each file in it, and a number of them in the report."""
    denied, changed = failed(f"{FULL}/bundle/1", DENIED), f"invalid checksum '{FULL}/bundle/1'"
    unread, bad = (
        (Unread, "bundle/1: cannot be read: Permission denied"),
        "bundle/1: its bytes are not those that were written",
    )
    assert of_bundle(denied, denied, counts=(0, 2)) == [unread]
    # More than is named: nobody says that this is no damage.
    assert of_bundle(denied, counts=(0, 2)) == [unread, (Finding, "2 files not readable")]
    assert of_bundle(denied, counts=(1, 1))[1:] == [(Finding, "1 files not as they were written, 1 files not readable")]
    # What has other bytes is damaged, before and behind what was not read of it.
    assert of_bundle(denied, changed, counts=(1, 1)) == of_bundle(changed, denied, counts=(1, 1)) == [(Finding, bad)]


def of_chain(*lines):
    """An incremental backup of which one file is in the full one."""
    more = "    missing: 0, checksum invalid: 0, size invalid: 0, other: 2\n"
    more += f"  backup: {FULL}_1I, status: invalid, total files checked: 9, total valid files: 8\n"
    more += "    missing: 0, checksum invalid: 0, size invalid: 0, other: 1\n"
    text = reported(*lines, backup="invalid, total files checked: 9, total valid files: 7\n", counts=more)
    return [(type(each), each.what, each.reason) for each in findings(text, [FULL, f"{FULL}_1I"])]


def test_what_builds_on_a_backup_that_cannot_be_read_is_not_called_damaged():
    """Of its own files no line is there; a line for another file of the full one may be the one that is counted."""
    denied, broken = failed(f"{FULL}/bundle/1", DENIED), failed(f"{FULL}/pg_data/1.zst", "zst error: [-20] x", 29)
    built = (Unread, f"{FULL}_1I", "1 files of backups that it is built on cannot be read")
    assert of_chain(denied, denied) == [(Unread, FULL, "bundle/1: cannot be read: Permission denied"), built]
    assert of_chain(denied, broken)[-1] == (Finding, f"{FULL}_1I", "1 files not readable")
