"""From a request to settings: names, what the last run remembers, and machines that are too large."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from profiles import GIB, changed, sized
from stackctl.errors import Problem, ProfileError
from stackctl.hardware.model import FULL_BUILD, PORTABLE_BUILD, Build, Host, Storage
from stackctl.operations import project
from stackctl.operations.ports import used_ports
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


def test_the_flags_that_no_longer_count_are_named():
    (warning,) = project.dropped_flags(Request(".", {"cpus": "2"}), STATE)
    assert warning.message.startswith("--ram 2G --workload dev of the last up no longer counts")
    assert project.dropped_flags(Request(".", {}, ["jit=on"]), STATE) == []
    assert project.dropped_flags(Request(".", {"ram": "4G", "workload": "web"}), STATE) == []


def test_new_pins_alone_take_the_place_of_the_old_ones():
    request = project.as_last_time(Request(".", {}, ["jit=on"]), STATE)
    assert (request.flags["ram"], tuple(request.sets)) == ("2G", ("jit=on",))


def _brought_up(folder, **fields):
    (folder / ".stackctl").mkdir(parents=True)
    save(folder / ".stackctl", replace(STATE, flags={}, sets=[], folder=str(folder), **fields))
    return folder


@pytest.mark.parametrize("place", ["yaml", "environment"])
def test_a_project_keeps_the_name_of_its_stack(tmp_path, place):
    _brought_up(tmp_path)
    environ = {"STACKCTL_NAME": "store"} if place == "environment" else {}
    if place == "yaml":
        (tmp_path / "stackctl.yaml").write_text("name: store\n")
    with pytest.raises(ProfileError, match="this project was brought up as shop, not store") as caught:
        project.open_project(Request(str(tmp_path), environ=environ))
    assert caught.value.hint.startswith("take the new name out, or let go of the old data first")
    recorded = project.open_recorded(Request(str(tmp_path), environ=environ))
    assert (recorded.project.name, len(recorded.warnings)) == ("shop", 1)


@pytest.mark.parametrize("open_it", [project.open_project, project.open_recorded])
def test_a_copy_of_a_project_has_no_claim_to_its_stack(tmp_path, open_it):
    shop = _brought_up(tmp_path / "shop")
    shutil.copytree(shop, tmp_path / "copy")
    with pytest.raises(ProfileError) as caught:
        open_it(Request(str(tmp_path / "copy")))
    assert str(caught.value) == f"{tmp_path}/copy is a copy of {shop}, which has the stack shop"
    assert caught.value.hint == "a copy needs its own stack: remove its .stackctl"
    assert open_it(Request(str(shop))).project.name == "shop"
    shutil.rmtree(tmp_path / "copy/.stackctl")
    assert open_it(Request(str(tmp_path / "copy"))).state is None


def test_a_copy_of_what_cannot_be_read_may_still_be_one(tmp_path):
    shop = _brought_up(tmp_path / "shop")
    shutil.copytree(shop, tmp_path / "copy")
    (shop / ".stackctl/state.json").write_text("{")
    with pytest.raises(ProfileError, match="is a copy of"):
        project.open_project(Request(str(tmp_path / "copy")))


def test_a_project_may_be_moved_or_reached_by_another_path(tmp_path):
    _brought_up(tmp_path / "old").rename(tmp_path / "new")
    opened = project.open_project(Request(str(tmp_path / "new")))
    assert (opened.project.name, opened.project.folder) == ("shop", tmp_path / "new")
    # The old path may be a file, a link to the new place, or another project by now.
    (tmp_path / "old").write_text("")
    assert project.open_project(Request(str(tmp_path / "new"))).state == opened.state
    (tmp_path / "old").unlink()
    (tmp_path / "old").symlink_to(tmp_path / "new")
    assert project.open_project(Request(str(tmp_path / "new"))).state == opened.state
    (tmp_path / "old").unlink()
    _brought_up(tmp_path / "old", name="other")
    assert project.open_project(Request(str(tmp_path / "new"))).state == opened.state


@pytest.mark.parametrize(
    ("files", "environ", "words"),
    [
        ({"stackctl.yaml": "profil: {}\n"}, {}, "there is no such key"),
        ({"stackctl.yaml": "{"}, {}, "stackctl.yaml"),
        ({".env": "STACKCTL_RAM=16X\n"}, {}, "'16X' is not a size"),
        ({}, {"STACKCTL_RAM": "16X"}, "'16X' is not a size"),
    ],
)
def test_a_running_stack_is_found_whatever_its_settings_have_become(tmp_path, files, environ, words):
    _brought_up(tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    request = Request(str(tmp_path), environ=environ)
    with pytest.raises(ProfileError):
        project.open_project(request)
    recorded = project.open_recorded(request)
    assert (recorded.project.name, recorded.state.engine) == ("shop", "docker")
    assert words in recorded.warnings[0].message


def test_before_the_first_up_the_settings_name_the_project(tmp_path):
    (tmp_path / "stackctl.yaml").write_text("name: store\n")
    assert project.open_recorded(Request(str(tmp_path))).project.name == "store"
    (tmp_path / "stackctl.yaml").write_text("profil: {}\n")
    recorded = project.open_recorded(Request(str(tmp_path)))
    assert (recorded.project.name, len(recorded.warnings)) == (project.default_name(tmp_path), 1)


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


@pytest.mark.parametrize(
    ("state", "engine", "images", "postgres"),
    [
        (None, "docker", "public", 18),
        (None, "docker", "debian", 17),
        (None, "embedded", "", 18),
        (None, "embedded", "debian", 18),
        (STATE, "docker", "debian", 17),
        (STATE, "embedded", "", 18),  # that engine has no data yet
        (replace(STATE, versions={"docker": 16, "embedded": 15}), "embedded", "", 15),
        (replace(STATE, versions={"docker": 16, "embedded": 15}), "docker", "public", 16),
    ],
)
def test_the_version_is_one_that_the_chosen_engine_has(tmp_path, state, engine, images, postgres):
    settings = project.open_project(Request(str(tmp_path), {"images": "debian"})).settings
    assert project.with_version(settings, state, engine, images).profile.postgres == postgres
    asked = project.open_project(Request(str(tmp_path), {"pg": "16"})).settings
    assert project.with_version(asked, state, engine, images).profile.postgres == 16


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


MIB = 1_048_576


@pytest.mark.parametrize(
    ("ram", "there", "taken"),
    [
        (16384, 16384, 16384),
        (16384, 15974, 15974),  # 16 GiB as a virtual machine shows them, 15.6 GiB
        (8192, 15974, 8192),
        (10800, 10000, 10000),  # just 8 % more
    ],
)
def test_a_nominal_size_is_taken_as_what_the_host_has_of_it(tmp_path, ram, there, taken):
    opened = project.open_project(Request(str(tmp_path), {"ram": f"{ram}M", "cpus": "2", "disk": "50G"}))
    found = project.for_host(opened.settings, replace(HOST, ram=Bytes(there * MIB)))
    assert found.profile.ram == taken * MIB
    assert [warning.code for warning in found.warnings] == (["nominal_ram"] if taken != ram else [])


def test_a_nominal_disk_too(tmp_path):
    opened = project.open_project(Request(str(tmp_path), {"ram": "8G", "cpus": "2", "disk": "200G"}))
    found = project.for_host(opened.settings, replace(HOST, disk=Bytes(196 * GIB)))
    assert (found.profile.disk, [warning.code for warning in found.warnings]) == (196 * GIB, ["nominal_disk"])
    text = "profile.disk: 200 GiB is taken as the 196 GiB that this host shows of it"
    assert found.warnings[0].message == text


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"ram": "10801M"}, "profile.ram: 10.5 GiB is more than this host's 9.8 GiB"),
        ({"disk": "109G"}, "profile.disk: 109 GiB is more than this host's 100 GiB"),
        ({"cpus": "51"}, "profile.cpus: 51 is more than this host's 50"),  # CPUs have no nominal number
    ],
)
def test_more_than_nominal_is_too_large(tmp_path, flags, message):
    flags = {"ram": "1G", "cpus": "1", "disk": "50G", **flags}
    settings = project.open_project(Request(str(tmp_path), flags)).settings
    host = Host(Bytes(10_000 * MIB), 50, Bytes(100 * GIB), Storage.SSD)
    with pytest.raises(ProfileError) as caught:
        project.for_host(settings, host)
    assert [problem.message for problem in caught.value.problems] == [message]
    fitted = project.for_host(replace(settings, fit=True), host).profile
    assert (fitted.ram <= host.ram, fitted.cpus <= 50, fitted.disk <= host.disk) == (True, True, True)


def test_fitting_lowers_what_is_too_large_and_nothing_else(tmp_path):
    settings = project.open_project(Request(str(tmp_path), {"ram": "16G", "cpus": "1", "disk": "200G"})).settings
    profile = project.fitted(settings, HOST).profile
    assert (profile.ram, profile.cpus, profile.disk) == (8 * GIB, 1, 100 * GIB)


def test_pins_are_checked_before_sizing(tmp_path):
    settings = project.open_project(Request(str(tmp_path), {}, ["work_mem=128M", "fsynk=on"])).settings
    with pytest.raises(ProfileError) as caught:
        project.sized(settings, FULL_BUILD)
    assert [problem.code for problem in caught.value.problems] == ["bad_value", "unknown_parameter"]


IMAGE_BUILD = Build(lz4=True, zstd=True, llvm=True)


@pytest.mark.parametrize(
    ("engine", "state", "build"),
    [
        ("auto", None, IMAGE_BUILD),
        ("embedded", None, PORTABLE_BUILD),
        ("docker", replace(STATE, engine="embedded"), IMAGE_BUILD),
        ("auto", replace(STATE, engine="embedded"), PORTABLE_BUILD),
    ],
)
def test_the_build_that_is_assumed_before_an_engine_was_asked(tmp_path, engine, state, build):
    settings = project.open_project(Request(str(tmp_path), {"engine": engine})).settings
    assert project.assumed_build(settings, state) == build


def test_a_build_that_is_given_is_assumed_of_either_engine(tmp_path):
    settings = project.open_project(Request(str(tmp_path), {"engine": "embedded", "build": "zstd"})).settings
    assert project.assumed_build(settings, None) == Build(zstd=True)


def test_the_port_of_a_pooler_that_nobody_asked_for_is_nobodys(tmp_path):
    ports = {}
    for pooler in ("none", "pgbouncer"):
        settings = project.open_project(Request(str(tmp_path), {"pooler": pooler})).settings
        ports[pooler] = used_ports(settings)
    assert "pgbouncer" not in ports["none"]
    assert ports["pgbouncer"] == ports["none"] | {"pgbouncer": 6432}


def test_only_what_cannot_run_is_refused():
    project.refuse_failing(sized(changed(ram_mib=1024, app_workers=1)))
    with pytest.raises(ProfileError) as caught:
        project.refuse_failing(sized(work_mem="128MB", DB_POOL_SIZE="60"))
    assert {problem.code for problem in caught.value.problems} == {"memory", "pool_too_large"}


def test_a_dangerous_value_is_refused():
    sizing = sized(changed())
    dangerous = replace(sizing, warnings=(Problem("dangerous", "fsync is off", ""), Problem("small_host", "x", "")))
    with pytest.raises(ProfileError) as caught:
        project.refuse_failing(dangerous)
    assert [problem.code for problem in caught.value.problems] == ["dangerous"]
