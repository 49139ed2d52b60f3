"""The scheduler's files, as their readers see them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from profiles import changed, sized
from stackctl.backup.generation import generations_of
from stackctl.render import schedule
from stackctl.render.manifest import Target
from stackctl.render.stack import Stack, render_stack
from stackctl.settings.backup import BackupSettings, backup_settings
from stackctl.settings.pgbackrest import PgBackRest, Remote
from stackctl.settings.project_file import load_section
from stackctl.sizing.budget import divide
from stacks import IMAGES, by_path, docker

REPOSITORY = "/srv/back ups/$x 'a'"
EVERYTHING = BackupSettings(
    window=timedelta(hours=36),
    redundancy=3,
    minimum=4,
    weekly=5,
    monthly=6,
    pace="full",
    questions={"odd": "SELECT 'a\"b' < '%' -- #: no\n  AND true"},
    schedule={"full": "15 2 * * 0", "drill": "0 5 1 * *"},
)


def rendered(settings, **user):
    machine = changed(scheduled=True)
    section = schedule.section(settings)
    scheduler = {"rights": [], "user": "1000:1000", "localtime": False, "memory": "../scheduler", "source": "x", **user}
    extra = {
        **docker.extra(sized(machine), docker.Ports(), IMAGES, None),
        "secrets": docker.secret_names(sized(machine), ("scheduler",)),
        "secrets_folder": "../secrets",
        "archive": docker.archive("x"),
        "fingerprint": "",
        "schedule": {"settings": section, "state": schedule.state("shop", 17, 2, accepted=False)},
        "scheduler": {**scheduler, "repository": REPOSITORY},
    }
    services = ("postgres", "migrate", "app", "scheduler")
    files = render_stack(sized(machine), Stack("shop", docker.place_of(17), services, extra), Target.COMPOSE)
    return by_path(files)


@pytest.mark.parametrize("window", [timedelta(hours=36), timedelta(days=400), timedelta(weeks=9999)])
def test_the_section_is_read_again_as_it_was(tmp_path, window):
    settings = BackupSettings(**{**vars(EVERYTHING), "window": window})
    (tmp_path / "stackctl.yaml").write_text(rendered(settings)["scheduler/stackctl.yaml"])
    assert backup_settings(load_section(tmp_path / "stackctl.yaml", "backup").keys, Path("/elsewhere")) == settings


@pytest.mark.parametrize(
    "taken_by",
    [
        PgBackRest(encryption=True, compression="lz4"),
        PgBackRest(
            Remote("s3", "shop-backups", "/a/b"), True, "zst", {"region": "x-1", "key_file": "k", "secret_file": "s"}
        ),
    ],
)
def test_what_pgbackrest_takes_is_read_again_as_it_was(tmp_path, taken_by):
    """Without it, the scheduler would take its own kind of backup, and of a store know nothing."""
    schedule = {"full": "15 2 * * 0"}
    settings = BackupSettings(schedule=schedule, pgbackrest=taken_by)
    (tmp_path / "stackctl.yaml").write_text(rendered(settings)["scheduler/stackctl.yaml"])
    assert backup_settings(load_section(tmp_path / "stackctl.yaml", "backup").keys, Path("/elsewhere")) == settings


def test_the_state_says_what_may_be_backed_up():
    state = json.loads(rendered(EVERYTHING)["scheduler/state.json"])
    assert (state["name"], state["engine"], state["versions"]) == ("shop", "inside", {"inside": 17})
    generations = generations_of(state["data"])["inside"]
    assert (generations.current, generations.accepted) == (2, False)


def test_the_container_of_an_ordinary_user_has_no_capability():
    service = yaml.safe_load(rendered(EVERYTHING)["compose.yaml"])["services"]["scheduler"]
    assert (service["user"], "cap_add" in service, service["cap_drop"]) == ("1000:1000", False, ["ALL"])
    assert service["networks"] == ["database"]
    assert service["secrets"] == ["backup_password", "monitor_password"]
    assert service["environment"]["STACKCTL_REPOSITORY"] == "/srv/back ups/$$x 'a'"
    # Compose takes one $ for the beginning of a variable.
    assert "/srv/back ups/$$x 'a'" in [mount["target"] for mount in service["volumes"] if isinstance(mount, dict)]


def test_a_machine_without_a_schedule_has_no_share_for_it():
    assert "scheduler" not in {share.service for share in divide(changed())}
    shares = {share.service: share.memory for share in divide(changed(scheduled=True))}
    # 16 GiB / 32.
    assert shares["scheduler"] == 512 * 2**20
    assert sum(shares.values()) <= 16 * 2**30


def test_the_scheduler_is_one_more_session_of_the_role_that_watches():
    def limits(machine):
        return {role.name: role.connection_limit for role in sized(machine).roles}

    plain, scheduled = limits(changed()), limits(changed(scheduled=True))
    assert {name for name in plain if plain[name] != scheduled[name]} == {"monitor"}
    assert (plain["monitor"], scheduled["monitor"]) == (5, 6)
    assert sized(changed(scheduled=True)).connections.reserved == sized(changed()).connections.reserved + 1
