"""Whose settings a throwaway server gets, and what of them it cannot have."""

from __future__ import annotations

import pytest

from profiles import REFERENCE
from stackctl.bench import contenders
from stackctl.bench.contenders import contender, from_file, stock
from stackctl.hardware.model import FULL_BUILD, PORTABLE_BUILD
from stackctl.operations.project import catalog_for
from stackctl.sizing.model import Sizing
from stackctl.sizing.plan import size

CATALOG = catalog_for(17)


@pytest.fixture(scope="module")
def sizing() -> Sizing:
    return size(REFERENCE, {}, CATALOG, FULL_BUILD)


def test_stock_differs_from_the_defaults_by_observability_alone(sizing: Sizing) -> None:
    """Else what pg_stat_statements and timing cost would be called the price of tuning."""
    names = set(stock(sizing).settings)
    assert {"track_io_timing", "shared_preload_libraries", "log_min_duration_statement"} <= names
    assert not names & {"shared_buffers", "work_mem", "max_wal_size", "random_page_cost", "wal_compression"}
    assert contender("bare", sizing, CATALOG, FULL_BUILD).settings == {}


@pytest.mark.parametrize("name", [name for name in contenders.NAMES if name != "bare"])
def test_everybody_is_observed_alike_and_nobody_brings_places(sizing: Sizing, name: str) -> None:
    found = contender(name, sizing, CATALOG, FULL_BUILD).settings
    watched = {key: value for key, value in found.items() if key.startswith(("log_", "track_", "pg_stat_statements."))}
    # Pigsty's own, which costs each commit something.
    watched.pop("track_commit_timestamp", None)
    assert watched == {
        key: value
        for key, value in stock(sizing).settings.items()
        if key.startswith(("log_", "track_", "pg_stat_statements."))
    }
    assert not {"archive_command", "archive_mode", "listen_addresses", "unix_socket_directories", "ssl"} & set(found)


def test_the_guide_keeps_its_literal_values(sizing: Sizing) -> None:
    found = contender("guide", sizing, CATALOG, FULL_BUILD).settings
    assert (found["shared_buffers"], found["wal_compression"], found["jit"]) == ("4GB", "on", "on")


def test_what_a_build_lacks_is_left_out_with_the_reason(sizing: Sizing) -> None:
    found = contender("pgtune", sizing, CATALOG, PORTABLE_BUILD)
    assert "wal_compression" not in found.settings
    assert found.left_out == {"wal_compression": "this server was built without lz4"}


def test_locales_that_a_throwaway_server_may_not_have_stay_behind(sizing: Sizing) -> None:
    """Debian writes those of the machine into each postgresql.conf."""
    found = from_file(
        "x.conf", {"lc_messages": "de_DE.UTF-8", "lc_time": "C", "jit": "on"}, sizing, CATALOG, FULL_BUILD
    )
    assert (found.settings["jit"], set(found.settings) & {"lc_messages", "lc_time"}) == ("on", set())


def test_a_parameter_of_another_version_is_left_out(sizing: Sizing) -> None:
    found = from_file("x.conf", {"io_method": "worker", "work_mem": "8MB"}, sizing, CATALOG, FULL_BUILD)
    assert found.left_out == {"io_method": "unknown to PostgreSQL 17"}
    assert found.settings["work_mem"] == "8MB"


@pytest.mark.parametrize(
    ("settings", "traded"),
    [
        ({"fsync": "off", "full_page_writes": "No"}, ("fsync", "full_page_writes")),
        ({"Synchronous_Commit": "false"}, ("synchronous_commit",)),
        ({"synchronous_commit": "local", "fsync": "on"}, ()),
        ({"wal_compression": "off"}, ()),
    ],
)
def test_speed_that_is_bought_with_durability_is_known(
    sizing: Sizing, settings: dict[str, str], traded: tuple[str, ...]
) -> None:
    assert from_file("x.conf", settings, sizing, CATALOG, FULL_BUILD).traded == traded


def test_nobody_trades_durability_by_default(sizing: Sizing) -> None:
    found = [contender(name, sizing, CATALOG, FULL_BUILD) for name in contenders.NAMES]
    assert {each.name: each.traded for each in found if each.traded} == {}


def test_what_a_timestamp_of_each_commit_costs_is_measured(sizing: Sizing) -> None:
    """Its name begins like those of observability, which all have alike."""
    found = from_file("x.conf", {"track_commit_timestamp": "on"}, sizing, CATALOG, FULL_BUILD)
    assert found.settings["track_commit_timestamp"] == "on"
