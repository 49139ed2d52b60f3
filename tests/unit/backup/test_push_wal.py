"""The archive command with pgbackrest, run as the server runs it: whatever is at work, the disk does not fill."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "config" / "postgres" / "push-wal"
NAME = "000000010000000000000001"
# More than any disk has, in kB.
ALL = 10**15
SEND, GIVE_UP = f"archive-push pg_wal/{NAME}", f"--archive-push-queue-max=1 archive-push pg_wal/{NAME}"
# Stands for pgbackrest: notes how it was called, and which of its processes were there, and ends as it is told.
FAKE = """\
#!/bin/sh
echo "$@" >>{folder}/calls
for it in $(cat {folder}/background); do
    if grep -q . /proc/$it/cmdline 2>/dev/null; then echo $it >>{folder}/beside; fi
done
case $* in *queue-max*) exit 0 ;; esac
exit {code}
"""


@dataclass
class Server:
    """A data directory with WAL that waits, and what sends it."""

    folder: Path
    stanza: str = field(default_factory=lambda: f"shop-{uuid.uuid4().hex}")
    background: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def wait(self, files: int) -> None:
        status = self.folder / "pg_wal" / "archive_status"
        status.mkdir(parents=True)
        for number in range(1, files + 1):
            (status / f"00000001{0:08X}{number:08X}.ready").touch()
        (self.folder / "pg_wal" / NAME).write_bytes(b"")

    def begin(self, word: str, program: str = "echo ready", stanza: str | None = None) -> subprocess.Popen[bytes]:
        """A process whose command line looks like one of pgbackrest in the background."""
        words = [
            "sh",
            "-c",
            f"{program}; while :; do sleep 0.1; done",
            "pgbackrest",
            f"--stanza={stanza or self.stanza}",
            word,
        ]
        process = subprocess.Popen([*words, "/pg_wal"], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        self.background.append(process)
        return process

    def run(self, bound: int = 100, reserve: int = 0, repository: str = "-", code: int = 0) -> tuple[int, list[str]]:
        """The exit status, and how pgbackrest was called."""
        fake = self.folder / "pgbackrest"
        fake.write_text(FAKE.format(folder=self.folder, code=code))
        fake.chmod(0o755)
        # A process that has ended is a child of ours until somebody asks for it.
        (self.folder / "background").write_text(" ".join(str(each.pid) for each in self.background))
        words = [f"pg_wal/{NAME}", NAME, str(bound), str(reserve), repository, str(self.folder / "spool")]
        argv = ["sh", str(SCRIPT), *words, str(fake), f"--stanza={self.stanza}"]
        done = subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, check=False, timeout=120)
        calls = (self.folder / "calls").read_text().splitlines()
        return done.returncode, [call.removeprefix(f"--stanza={self.stanza} ") for call in calls]

    @property
    def beside(self) -> bool:
        """Whether one of its processes was still at work when it was called."""
        return (self.folder / "beside").exists()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    for process in made.background:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("code", [0, 1, 82])
def test_what_pgbackrest_ends_with_is_what_the_server_hears(server: Server, code: int) -> None:
    server.wait(3)
    assert server.run(bound=3, code=code) == (code, [SEND])


def test_past_the_bound_it_is_given_up_though_earlier_ones_are_still_being_sent(server: Server) -> None:
    """Not before those are ended: they would go on reading a file into which the server writes other WAL."""
    server.wait(4)
    background, worker = server.begin("archive-push:async"), server.begin("archive-push:local")
    assert server.run(bound=3, code=82) == (0, [GIVE_UP])
    assert (background.wait(0), worker.wait(0), server.beside) == (-15, -15, False)


def test_one_that_does_not_end_by_itself_is_killed(server: Server) -> None:
    server.wait(4)
    background = server.begin("archive-push:async", "trap '' TERM; echo ready")
    assert server.run(bound=3) == (0, [GIVE_UP])
    assert (background.wait(0), server.beside) == (-9, False)


def test_what_works_for_others_or_on_something_else_goes_on(server: Server) -> None:
    server.wait(4)
    others = [server.begin("archive-push:async", stanza="another"), server.begin("backup:local")]
    assert server.run(bound=3) == (0, [GIVE_UP])
    assert [each.poll() for each in others] == [None, None]


def test_within_the_bounds_nothing_is_disturbed(server: Server) -> None:
    server.wait(4)
    background = server.begin("archive-push:async")
    assert server.run(bound=4, code=82) == (82, [SEND])
    assert background.poll() is None


def test_what_it_is_done_with_goes_at_once(server: Server) -> None:
    """After all was given up, thousands of files are answered for one by one."""
    server.wait(4)
    (server.folder / "spool").mkdir()
    (server.folder / "spool" / f"{NAME}.ok").touch()
    background = server.begin("archive-push:async")
    assert server.run(bound=3, reserve=ALL) == (0, [SEND])
    assert background.poll() is None


def free(folder: Path) -> int:
    """kB on its disk."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize // 1024


@pytest.mark.parametrize(
    ("reserve", "code", "calls"),
    [
        # Nothing is gained by giving up the only file that waits, as long as it can be sent.
        (lambda _: ALL, 0, [SEND]),
        (lambda _: ALL, 82, [SEND, GIVE_UP]),
        (lambda left: left // 2, 82, [SEND]),
    ],
)
def test_the_reserve_of_the_disk(server: Server, reserve: Callable[[int], int], code: int, calls: list[str]) -> None:
    server.wait(1)
    found = server.run(reserve=reserve(free(server.folder)), code=code)
    assert found == (0 if calls[-1] == GIVE_UP else code, calls)


def test_a_repository_on_the_database_s_disk_does_not_take_its_reserve(server: Server) -> None:
    server.wait(1)
    server.begin("archive-push:async")
    assert server.run(reserve=ALL, repository=str(server.folder)) == (0, [GIVE_UP])
    assert not server.beside


def test_a_repository_on_another_disk_may(server: Server) -> None:
    server.wait(1)
    assert server.run(reserve=ALL, repository="/proc") == (0, [SEND])


def test_what_waits_does_not_take_the_reserve_even_where_it_is_sent_slowly(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three segments are 49152 kB; `df` says what is left."""
    server.wait(3)
    tools = server.folder / "bin"
    tools.mkdir()
    (tools / "df").write_text("#!/bin/sh\necho Filesystem\necho disk 1000000 0 40000 0% /\n")
    (tools / "df").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    assert server.run(reserve=49153) == (0, [SEND])
    (server.folder / "calls").unlink()
    assert server.run(reserve=49152) == (0, [GIVE_UP])
