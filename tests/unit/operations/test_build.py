"""The build that is sized for: given, probed, contradicted."""

import pytest

from stackctl.engine.embedded.programs import wheel_folder
from stackctl.errors import ProfileError
from stackctl.hardware.model import FULL_BUILD, PORTABLE_BUILD, Build
from stackctl.operations import build, stack
from stackctl.operations.project import open_project
from stackctl.operations.result import Request

IMAGE = Build(lz4=True, zstd=True, llvm=True)


@pytest.fixture
def settings(tmp_path):
    """Makes settings of an empty project."""

    def make(sets=(), **flags):
        return open_project(Request(str(tmp_path), {"ram": "2G", "disk": "2G", **flags}, sets)).settings

    return make


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, None), ("full", FULL_BUILD), ("portable", PORTABLE_BUILD), ("lz4,llvm", Build(lz4=True, llvm=True))],
)
def test_the_given_build(settings, text, expected):
    assert build.given_build(settings(build=text)) == expected


def test_a_folder_is_probed(settings):
    assert build.given_build(settings(build=str(wheel_folder()), pg="18")) == PORTABLE_BUILD


def test_a_folder_without_a_server_is_refused(settings, tmp_path):
    with pytest.raises(ProfileError, match=f"profile.build: {tmp_path} has no program postgres that runs") as caught:
        build.given_build(settings(build=str(tmp_path)))
    assert caught.value.exit_code == 10


def test_a_folder_of_another_version_is_refused(settings):
    with pytest.raises(ProfileError, match="has PostgreSQL 18, not 16") as caught:
        build.given_build(settings(build=str(wheel_folder()), pg="16"))
    assert caught.value.problems[0].hint == "--pg 18"


@pytest.mark.parametrize(
    ("flags", "found", "said"),
    [
        ({}, PORTABLE_BUILD, None),
        ({"build": "lz4,zstd,llvm"}, IMAGE, None),
        ({"build": "full", "pg": "17"}, IMAGE, None),
        ({"build": "full", "pg": "18"}, IMAGE, "lacks io_uring"),
        ({"build": "full"}, PORTABLE_BUILD, "lacks lz4, zstd, llvm, io_uring"),
        ({"build": "portable"}, IMAGE, "has lz4, zstd, llvm"),
        ({"build": "zstd"}, Build(lz4=True), "lacks zstd and has lz4"),
        ({"build": "/not/there"}, IMAGE, "/not/there has no program postgres that runs"),
    ],
)
def test_what_contradicts_the_server_is_a_warning(settings, flags, found, said):
    problems = build.contradiction(settings(**{"pg": "18", **flags}), found)
    assert (said is None) is (problems == [])
    assert said is None or said in problems[0].message


@pytest.mark.parametrize(
    ("pin", "found", "feature"),
    [
        ("wal_compression=zstd", Build(lz4=True), "zstd"),
        ("wal_compression='LZ4'", Build(zstd=True), "lz4"),
        ("default_toast_compression=lz4", PORTABLE_BUILD, "lz4"),
        ("io_method=io_uring", IMAGE, "io_uring"),
        ("wal_compression=zstd", IMAGE, None),
        ("wal_compression=pglz", PORTABLE_BUILD, None),
        ("io_method=worker", PORTABLE_BUILD, None),
    ],
)
def test_a_pin_that_the_server_would_refuse(settings, pin, found, feature):
    problems = build.unbuilt_pins(settings([pin]), found)
    assert [problem.message.rpartition(" ")[2] for problem in problems] == ([feature] if feature else [])


class Engine:
    """An engine whose server has nothing."""

    def deployment(self, _wanted):
        return stack.Deployment(None, None, (), PORTABLE_BUILD)


def _prepare(tmp_path, monkeypatch, flags, sets=()):
    monkeypatch.setattr(stack, "choose", lambda opened, runner: stack.Choice("embedded", "", ""))
    monkeypatch.setattr(stack, "open_engine", lambda opened, choice, runner: Engine())
    return stack.prepare(Request(str(tmp_path), {"ram": "2G", "disk": "2G", "cpus": "1", **flags}, sets), None)


def test_the_stack_is_sized_for_what_its_server_has(tmp_path, monkeypatch):
    prepared = _prepare(tmp_path, monkeypatch, {"build": "lz4"})
    assert prepared.sizing.value("wal_compression") == "off"
    assert [w.message for w in prepared.warnings if w.code == "build_differs"] == [
        "profile.build: the server lacks lz4, whatever --build says"
    ]
    assert "build" not in prepared.state.flags


def test_a_pin_that_its_server_lacks_is_refused_before_anything_is_touched(tmp_path, monkeypatch):
    with pytest.raises(ProfileError, match="wal_compression = zstd needs a server with zstd") as caught:
        _prepare(tmp_path, monkeypatch, {}, ["wal_compression=zstd"])
    assert caught.value.problems[0].code == "not_in_build"
