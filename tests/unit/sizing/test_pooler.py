"""Connections behind PgBouncer, worked out by hand."""

import pytest

from profiles import changed, sized
from stackctl.hardware.model import Pooler

POOLED = changed(pooler=Pooler.PGBOUNCER)


def _shape(profile=POOLED, **pins):
    return sized(profile, **pins).connections


def _codes(profile=POOLED, **pins):
    return [warning.code for warning in sized(profile, **pins).warnings]


def test_the_reference_machine():
    shape = _shape()
    # Half of 200 for the role; a tenth of that is left over; a worker's even share is 25, and it may open twice that.
    assert (shape.app_total, shape.pooler_servers) == (100, 90)
    assert (shape.pool_size, shape.max_overflow) == (25, 25)
    # 5 kept, 5 for each of three roles, 2 for reports.
    assert (shape.reserved, shape.headroom) == (22, 78)
    # 128 MiB hold 4096 clients of 32 kB; 4096 open files less 512 hold fewer.
    assert shape.pooler_clients == 3584
    assert _codes() == []


def test_the_server_is_sized_for_its_own_limit_and_not_for_the_pools():
    alone, pooled = sized(), sized(POOLED)
    assert {role.name: role.connection_limit for role in pooled.roles}["app"] == 100
    items = {item.name: item.formula for item in pooled.memory.items}
    # Pools of 200 connections, and yet 100 sessions, as without a pooler.
    assert items["app backends"] == {item.name: item.formula for item in alone.memory.items}["app backends"]
    assert items["app backends"].startswith("100 connections")


def test_many_workers_take_nothing_from_the_server():
    # Without a pooler 48 workers get (200 - 20) / 49 = 3 connections each, 144 in all would be more than half: 96.
    machine = changed(ram_mib=32_768, cpus=48, app_workers=48)
    assert sized(machine).connections.app_total == 96
    shape = _shape(changed(ram_mib=32_768, cpus=48, app_workers=48, pooler=Pooler.PGBOUNCER))
    assert (shape.app_total, shape.pool_size, shape.max_overflow) == (100, 2, 2)


def test_a_small_machine():
    shape = _shape(changed(ram_mib=512, cpus=1, app_workers=1, pooler=Pooler.PGBOUNCER))
    # A fifth of PostgreSQL's 192 MiB holds 3 sessions of 11 MiB; one of them is left over. 32 MiB hold 1024 clients.
    assert (shape.app_total, shape.pooler_servers, shape.pooler_clients) == (3, 2, 1024)


@pytest.mark.parametrize(("limit", "servers"), [(1, 1), (2, 2), (3, 2), (5, 4), (10, 9), (25, 23), (100, 90)])
def test_something_is_left_over_for_sessions_on_their_way_out(limit, servers):
    from stackctl.sizing.pooler import servers as counted

    assert counted(limit) == servers


def test_pinned_pools_are_clients_and_change_nothing_at_the_server():
    shape = _shape(DB_POOL_SIZE="80")
    assert (shape.pool_size, shape.max_overflow, shape.app_total, shape.pooler_servers) == (80, 80, 100, 90)
    assert _shape(DB_MAX_OVERFLOW="0").max_overflow == 0
    # Without a pooler this is refused: 320 connections are more than the server has.
    assert _codes(DB_POOL_SIZE="80") == []


def test_pools_beyond_the_pooler_are_refused_and_tight_ones_told():
    # 4 x 900 are more than 3584; 4 x 720 fit, and a fifth worker's 720 do not.
    assert _codes(DB_POOL_SIZE="900", DB_MAX_OVERFLOW="0") == ["pool_too_large"]
    (problem,) = sized(POOLED, DB_POOL_SIZE="720", DB_MAX_OVERFLOW="0").warnings
    assert problem.code == "pool_tight"
    assert "pools of 4 workers x 720 = 2880 connections" in problem.message
    assert problem.hint.startswith("at most 716 per worker")
    assert _codes(DB_POOL_SIZE="716", DB_MAX_OVERFLOW="0") == []


def test_a_server_without_room_for_the_pooler_is_refused():
    (problem,) = [w for w in sized(POOLED, max_connections="9").warnings if w.code == "pool_too_large"]
    # 3 kept, 2 for each of three roles, 1 more that watches and 1 for reports are more than there is.
    assert problem.message == "11 reserved connections leave none of max_connections 9 to PgBouncer"
    assert "pool_too_large" not in _codes(max_connections=problem.hint.removeprefix("--connections "))
