"""An engine whose pgBackRest says what a test gives it, and notes what it is told to do."""

from __future__ import annotations

import json
from contextlib import contextmanager
from types import SimpleNamespace

from stackctl.engine.runner import Completed
from stackctl.errors import TimedOut

SYSTEM = 7710891286501249046
DENIED = "unable to open file '/var/lib/stackctl/repository/x' for read: [13] Permission denied"


def described(label, segment, kind="full", prior=None, **more):
    return {
        "annotation": None,
        "archive": {"start": f"0000000100000000{segment:08X}", "stop": f"0000000100000000{segment:08X}"},
        "database": {"id": 1},
        "error": False,
        "info": {"repository": {"delta": 10}, "size": 1000},
        "label": label,
        "lsn": {"start": f"0/{segment:X}000028", "stop": f"0/{segment:X}000158"},
        "prior": prior,
        "timestamp": {"start": 1795331868, "stop": 1795331875},
        "type": kind,
        **more,
    }


class Server:
    """A repository with backups, and WAL of two clusters; what it is told to do goes to `told`."""

    def __init__(
        self,
        *backups,
        verify=None,
        code=0,
        fails=(),
        slow=0.0,
        orphans=False,
        meanwhile=(),
        sums=None,
        extra=(),
        says="",
        denied=(),
        cut_short=None,
    ):
        self.backups, self.verify, self.code, self.fails = list(backups), verify, code, fails
        self.slow, self.orphans, self.meanwhile = slow, orphans, list(meanwhile)
        # Checksums by path, "" for what cannot be read; every file has the same one.
        self.sums, self.extra, self.says, self.denied = sums or {}, extra, says, denied
        # The exit status, and what was said, of files the reading of which came to no end.
        self.cut_short = cut_short or {}
        self.told = []
        self.ended = []

    def end_orphans(self):
        self.orphans, ended = False, self.orphans
        return ended

    @contextmanager
    def programs(self):
        yield self

    def query(self, _sql):
        return [{"system": str(SYSTEM), "postgres": "17", "since": 1}]

    def with_repository(self):
        return self

    def gentle(self, _memory):
        return self

    def group(self):
        return -1

    def claim(self, folder):
        folder.mkdir()

    def own(self, path):
        pass

    @contextmanager
    def serve(self, data, settings, _folders, _timeout):
        """Recovery that ends at 0/2000100, inside the first of four segments."""
        self.settings = settings
        self.known = (data.parent / "archived").read_text().splitlines()
        yield SimpleNamespace(query=lambda _sql: [{"lsn": "0/2000100", "now": None, "time": None}])

    def end_strays(self, folders):
        self.ended += folders

    def beside(self, words, timeout):
        return self.run("pgbackrest", *words[1:])

    def reload(self):
        pass

    def listed(self, folder):
        if folder == "backup/shop":
            ids = [each["label"] for each in self.backups]
            names = [f"{each}/backup.manifest{end}" for each in ids for end in ("", ".copy")]
            return [*names, *(f"backup.history/2026/{each}.manifest.gz" for each in ids)]
        names = [("17-1", number) for number in (2, 3, 4, 5)] + [("17-0", 9)]
        paths = [f"{archive}/0000000100000000/0000000100000000{n:08X}-{'0' * 40}.zst" for archive, n in names]
        return [*paths, *self.extra]

    def read(self, paths):
        """What the script says that has no text of its own in the way of pgBackRest."""
        lines = []
        for path in paths:
            sum = self.sums.get(path, "1" * 40)
            if path in self.cut_short:
                code, said = self.cut_short[path]
                lines += [f"{code} {'0' * 40} {path}", f": {said}"]
                continue
            if path in self.denied:
                lines += [f"41 {'0' * 40} {path}", f": ERROR: [041]: {DENIED}"]
                continue
            lines += [f"0 {sum} {path}"] if sum else [f"95 {'0' * 40} {path}", ": ERROR: [095]: unable to flush"]
            lines += [": 1\t0/3000158\tno recovery target specified"] if path.endswith(".history") else []
        return Completed((), 0, "\n".join(lines), "")

    def checked(self, words):
        """The report of what was asked for."""
        chosen = [word.removeprefix("--set=") for word in words if word.startswith("--set=")]
        labels = [each["label"] for each in self.backups if chosen in ([], [each["label"]])]
        counts = "missing: 0, checksum invalid: 0, size invalid: 0, other: 0"
        lines = [
            f"  backup: {label}, status: valid, total files checked: 2, total valid files: 2\n    {counts}"
            for label in labels
        ]
        return "\n".join(["stanza: shop", "status: ok", *lines]) + "\n"

    def run(self, program, *words, timeout=60.0, **_how):
        if program == "sh":
            return self.read(words[3:])
        command = next(word for word in words if not word.startswith("--"))
        if timeout < self.slow:
            raise TimedOut("docker run", hint="")
        if command == "info":
            clusters = [{"id": 1, "system-id": SYSTEM, "version": "17"}, {"id": 0, "system-id": 5, "version": "17"}]
            return Completed((), 0, json.dumps([{"db": clusters, "backup": self.backups, "repo": []}]), "")
        if command == "repo-ls":
            listed = {path: {"type": "file", "size": 7, "time": 1} for path in self.listed(words[-1])}
            return Completed((), 0, json.dumps(listed), "")
        if command == "verify":
            return Completed((), self.code, self.checked(words) if self.verify is None else self.verify, "")
        self.told.append([command, *(word for word in words[words.index(command) + 1 :])])
        if command == "expire":
            self._expire(*self.told[-1][1:])
        return Completed((), 1 if command in self.fails else 0, self.says, "ERROR: [049]: unable to connect to 'x'")

    def _expire(self, option, *_others):
        """As 2.55 did it by hand: a backup goes with what is built on it; then another machine takes another one."""
        name, _, value = option.partition("=")
        gone = {value} if name == "--set" else set()
        if name == "--repo1-retention-full":
            gone = {each["label"] for each in self.backups if each["type"] == "full"}
            gone = set(sorted(gone)[: -int(value)])
        self.backups = [each for each in self.backups if not gone & {each["label"], each["prior"]}]
        self.backups += self.meanwhile
        self.meanwhile = []
