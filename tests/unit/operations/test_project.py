"""From a request to settings: names, what the last run remembers, and machines that are too large."""

from dataclasses import replace
from pathlib import Path

import pytest

from profiles import GIB, changed, sized
from stackctl.errors import ProfileError
from stackctl.hardware.model import FULL_BUILD, PORTABLE_BUILD, Host, Pooler, Storage
from stackctl.operations import project
from stackctl.operations.result import Request
from stackctl.operations.state import State, save
from stackctl.units import Bytes

STATE = State(
    "shop", "docker", "asked for", "debian", {"docker": 17}, {"ram": "2G", "workload": "dev"}, ["work_mem=8MB"]
)
HOST = Host(Bytes(8 * GIB), 2, Bytes(100 * GIB), Storage.SSD)


@pytest.mark.parametrize(
    ("folder", "word"),
    [
        ("/srv/shop", "shop"),
        ("/srv/My Shop", "my-shop"),
        ("/srv/Käse_Laden", "kase_laden"),
        ("/srv/商店", "stack"),
        ("/srv/--x--", "x"),
        ("/", "stack"),
        ("/srv/" + "a" * 60, "a" * 40),
    ],
)
def test_the_default_name_is_one_that_compose_takes(folder, word):
    name = project.default_name(Path(folder))
    assert name[:-7] == word
    assert name[-7] == "-"
    assert int(name[-6:], 16) >= 0


def test_two_folders_of_one_name_are_two_projects():
    # printf /a/shop | gzip -c | tail -c8 | od -An -tx4
    assert project.default_name(Path("/a/shop")) == "shop-8e619f"
    assert project.default_name(Path("/b/shop")) != "shop-8e619f"


def test_a_command_without_flags_means_the_last_ones():
    request = project.as_last_time(Request(".", {"ram": None, "engine": "docker"}), STATE)
    assert request.flags["ram"] == "2G"
    assert (request.flags["workload"], request.flags["engine"]) == ("dev", "docker")
    assert tuple(request.sets) == ("work_mem=8MB",)


def test_a_new_profile_starts_without_the_old_one_and_its_pins():
    asked = Request(".", {"cpus": "2"})
    assert project.as_last_time(asked, STATE) == asked


def test_new_pins_alone_take_the_place_of_the_old_ones():
    request = project.as_last_time(Request(".", {}, ["jit=on"]), STATE)
    assert (request.flags["ram"], tuple(request.sets)) == ("2G", ("jit=on",))


def test_the_first_command_has_nothing_to_remember():
    request = Request(".", {"ram": None})
    assert project.as_last_time(request, None) == request


def test_a_project_knows_its_folder_and_its_state(tmp_path):
    (tmp_path / ".stackctl").mkdir()
    save(tmp_path / ".stackctl", replace(STATE, flags={}, sets=[]))
    opened = project.open_project(Request(str(tmp_path)))
    assert (opened.project.name, opened.project.folder) == ("shop", tmp_path)
    assert (opened.settings.profile.postgres, opened.state.engine) == (17, "docker")
    assert opened.project.secrets == tmp_path / ".stackctl/secrets"
    assert opened.project.rendered == tmp_path / ".stackctl/rendered"


def test_each_engine_keeps_the_version_of_its_data(tmp_path):
    (tmp_path / ".stackctl").mkdir()
    save(tmp_path / ".stackctl", replace(STATE, versions={"docker": 17, "embedded": 16}, flags={}, sets=[]))
    found = [
        project.open_project(Request(str(tmp_path), flags)).settings.profile.postgres
        for flags in ({}, {"engine": "docker"}, {"engine": "embedded"})
    ]
    assert found == [17, 17, 16]


@pytest.mark.parametrize(("flags", "postgres"), [({}, 18), ({"images": "debian"}, 17), ({"pg": "16"}, 16)])
def test_the_version_follows_what_can_be_had(tmp_path, flags, postgres):
    assert project.open_project(Request(str(tmp_path), flags)).settings.profile.postgres == postgres


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_text("")])
def test_a_folder_that_is_not_there(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(ProfileError, match="no such folder"):
        project.open_project(Request(str(tmp_path / "x")))


def test_what_is_larger_than_the_host_is_named():
    problems = project.larger_than_host(changed(), HOST)
    assert [problem.message for problem in problems] == [
        "profile.ram: 16 GiB is more than this host's 8 GiB",
        "profile.cpus: 4 is more than this host's 2",
        "profile.disk: 200 GiB is more than this host's 100 GiB",
    ]
    assert project.larger_than_host(changed(ram_mib=8192, cpus=2, disk_gib=100), HOST) == []


def test_fitting_lowers_what_is_too_large_and_nothing_else(tmp_path):
    settings = project.open_project(Request(str(tmp_path), {"ram": "16G", "cpus": "1", "disk": "200G"})).settings
    profile = project.fitted(settings, HOST).profile
    assert (profile.ram, profile.cpus, profile.disk) == (8 * GIB, 1, 100 * GIB)


def test_pins_are_checked_before_sizing(tmp_path):
    settings = project.open_project(Request(str(tmp_path), {}, ["work_mem=128M", "fsynk=on"])).settings
    with pytest.raises(ProfileError) as caught:
        project.sized(settings, FULL_BUILD)
    assert [problem.code for problem in caught.value.problems] == ["bad_value", "unknown_parameter"]


@pytest.mark.parametrize(
    ("engine", "state", "build"),
    [
        ("auto", None, FULL_BUILD),
        ("embedded", None, PORTABLE_BUILD),
        ("docker", replace(STATE, engine="embedded"), FULL_BUILD),
        ("auto", replace(STATE, engine="embedded"), PORTABLE_BUILD),
    ],
)
def test_the_build_that_is_assumed_before_an_engine_was_asked(tmp_path, engine, state, build):
    settings = project.open_project(Request(str(tmp_path), {"engine": engine})).settings
    assert project.assumed_build(settings, state) == build


def test_a_pooler_is_sized_and_not_run_yet():
    with pytest.raises(ProfileError, match="pgbouncer can be sized, but not run yet"):
        project.refuse_failing(sized(changed(pooler=Pooler.PGBOUNCER)))


def test_only_what_cannot_run_is_refused():
    project.refuse_failing(sized(changed(ram_mib=1024, app_workers=1)))
    with pytest.raises(ProfileError) as caught:
        project.refuse_failing(sized(work_mem="128MB", DB_POOL_SIZE="60"))
    assert {problem.code for problem in caught.value.problems} == {"memory", "pool_too_large"}
