"""Features of real servers: the wheel's, and Debian's where it is installed."""

import errno
from pathlib import Path

import pytest

from stackctl.engine.embedded import features, programs
from stackctl.engine.runner import Completed, Runner
from stackctl.errors import NoEngine
from stackctl.hardware import kernel
from stackctl.hardware.model import PORTABLE_BUILD, Build

DEBIAN = Path("/usr/lib/postgresql/15/bin")
HINT = "FATAL:  invalid value for parameter\nHINT:  Available values: {}.\n"


class Server:
    """Answers as a server of the given choices would."""

    def __init__(self, library="", **choices):
        self.library, self.choices = library, choices

    def run(self, argv, **options):
        assert options["env"] == {"LC_ALL": "C"}
        if argv[0].endswith("pg_config"):
            if not self.library:
                raise NoEngine("pg_config is not installed", hint="")
            return Completed(tuple(argv), 0, f"{self.library}\n", "")
        assert argv[1] == "-C"
        found = self.choices.get(argv[2])
        return Completed(tuple(argv), 1, "", HINT.format(found) if found else "FATAL:  unrecognized parameter\n")


def test_the_wheel_has_neither():
    assert features.probe_build(Runner(), programs.wheel_folder()) == PORTABLE_BUILD


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's PostgreSQL 15 is not installed")
def test_debians_15_has_all_that_15_can_have():
    assert features.probe_build(Runner(), DEBIAN) == Build(lz4=True, zstd=True, llvm=True)


def test_the_operators_language_and_variables_do_not_matter(monkeypatch):
    for name, value in {"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de", "PGDATA": "/nowhere", "PGOPTIONS": "-c x=y"}.items():
        monkeypatch.setenv(name, value)
    folder = DEBIAN if DEBIAN.is_dir() else programs.wheel_folder()
    assert features.probe_build(Runner(), folder).lz4 is DEBIAN.is_dir()


@pytest.mark.parametrize(
    ("choices", "build"),
    [
        ({"wal_compression": "pglz, lz4, zstd, on, off"}, Build(lz4=True, zstd=True)),
        ({"wal_compression": "pglz, lz4, on, off"}, Build(lz4=True)),
        ({"wal_compression": "pglz, on, off", "io_method": "sync, worker"}, PORTABLE_BUILD),
        ({"wal_compression": "pglz, on, off", "io_method": "sync, worker, io_uring"}, Build(io_uring=True)),
    ],
)
def test_choices_are_read_from_the_servers_own_words(tmp_path, monkeypatch, choices, build):
    monkeypatch.setattr(kernel, "io_uring_allowed", lambda: True)
    assert features.probe_build(Server(**choices), tmp_path / "bin") == build


def test_io_uring_that_the_kernel_forbids_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "io_uring_allowed", lambda: False)
    assert features.probe_build(Server(io_method="sync, worker, io_uring"), tmp_path) == PORTABLE_BUILD


def test_jit_is_there_where_its_library_is_packed(tmp_path):
    (tmp_path / "lib").mkdir()
    assert not features.probe_build(Server(str(tmp_path / "lib")), tmp_path / "bin").llvm
    (tmp_path / "lib/llvmjit.so").touch()
    assert features.probe_build(Server(str(tmp_path / "lib")), tmp_path / "elsewhere/bin").llvm
    assert features.probe_build(Server(), tmp_path / "bin").llvm
    assert not features.probe_build(Server(), tmp_path / "elsewhere/bin").llvm


def test_a_folder_without_programs_has_no_feature(tmp_path):
    assert features.probe_build(Runner(), tmp_path) == PORTABLE_BUILD


@pytest.mark.parametrize(("text", "allowed"), [("0", True), ("1", False), ("2", False)])
def test_the_sysctl_decides_on_io_uring_where_the_call_is_allowed(tmp_path, monkeypatch, text, allowed):
    monkeypatch.setattr(kernel.ctypes, "get_errno", lambda: errno.EINVAL)
    path = tmp_path / "proc/sys/kernel/io_uring_disabled"
    path.parent.mkdir(parents=True)
    path.write_text(f"{text}\n")
    assert kernel.io_uring_allowed(tmp_path) is allowed


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.ENOSYS, errno.EACCES])
def test_a_call_that_is_refused_decides_too(tmp_path, monkeypatch, refusal):
    monkeypatch.setattr(kernel.ctypes, "get_errno", lambda: refusal)
    assert kernel.io_uring_allowed(tmp_path) is False


def test_this_kernel_can_be_asked():
    assert kernel.io_uring_allowed() in (True, False)
