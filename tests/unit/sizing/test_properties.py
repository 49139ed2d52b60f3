"""What must hold for every machine: 512 MiB to 1 TiB, 1 to 128 CPUs, every workload, disk, version and build."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from hypothesis import example, given, settings
from hypothesis import strategies as st

from profiles import GIB, MIB, REFERENCE, catalog, changed, sized
from stackctl.hardware.model import FULL_BUILD, PORTABLE_BUILD, HardwareProfile, Pooler, Storage, Workload
from stackctl.settings.resolve import default_workers
from stackctl.sizing.model import REFUSED, Verdict
from stackctl.units import Bytes, parse_pg_size

RAM_MIB = st.one_of(st.integers(512, 8192), st.integers(8192, 1_048_576))
MACHINES = st.builds(
    lambda ram_mib, cpus, storage, disk_gib, workload, postgres, pooler, wal_rate, scheduled: HardwareProfile(
        ram=Bytes(ram_mib * MIB),
        cpus=cpus,
        storage=storage,
        disk=Bytes(disk_gib * GIB),
        workload=workload,
        postgres=postgres,
        app_workers=default_workers(Bytes(ram_mib * MIB), cpus),
        pooler=pooler,
        wal_rate=Bytes(wal_rate * 1024),
        # On less, the others leave it no room: a test of its own.
        scheduled=scheduled and ram_mib >= 1100,
    ),
    ram_mib=RAM_MIB,
    cpus=st.integers(1, 128),
    storage=st.sampled_from(Storage),
    disk_gib=st.one_of(st.integers(10, 100), st.integers(10, 65_536)),
    workload=st.sampled_from(Workload),
    postgres=st.sampled_from([15, 16, 17, 18]),
    pooler=st.sampled_from(Pooler),
    wal_rate=st.one_of(st.just(0), st.integers(1, 1_048_576)),
    scheduled=st.booleans(),
)
SMALL = changed(
    ram_mib=512, cpus=3, storage=Storage.HDD, disk_gib=10, app_workers=1, workload=Workload.WEB, postgres=18
)
BUILDS = st.sampled_from([PORTABLE_BUILD, FULL_BUILD])
CONNECTIONS = st.integers(20, 1000)


@settings(max_examples=200)
@given(MACHINES, BUILDS)
def test_the_shares_fit_the_machine(profile, build):
    sizing = sized(profile, build)
    assert sum(item.memory for item in sizing.budget) <= profile.ram
    assert sum(item.cpus for item in sizing.budget) <= profile.cpus + 1e-9
    assert all(item.cpus >= 0.01 and item.memory >= 32 * MIB for item in sizing.budget)


@settings(max_examples=400)
# Once 15 workers by its CPUs left this machine too little for the database.
@example(changed(ram_mib=4096, cpus=15, app_workers=default_workers(Bytes(4 * GIB), 15)), FULL_BUILD)
@example(changed(ram_mib=512, cpus=1, app_workers=1, disk_gib=10), FULL_BUILD)
@example(changed(ram_mib=512, cpus=128, app_workers=1, workload=Workload.OLAP), FULL_BUILD)
@example(changed(ram_mib=512, cpus=1, app_workers=1, pooler=Pooler.PGBOUNCER, postgres=18), FULL_BUILD)
@given(MACHINES, BUILDS)
def test_sized_values_pass_the_memory_proof(profile, build):
    sizing = sized(profile, build)
    assert sizing.memory.verdict is Verdict.OK
    assert sizing.memory.worst_case <= sizing.share("postgres").memory == sizing.memory.limit
    assert sizing.memory.typical <= sizing.memory.worst_case
    assert not REFUSED & {warning.code for warning in sizing.warnings}


@settings(max_examples=200)
@given(MACHINES, st.integers(1, 256))
def test_with_any_workers_it_fits_or_is_refused(profile, workers):
    sizing = sized(replace(profile, app_workers=workers))
    assert sum(item.memory for item in sizing.budget if item.service != "postgres") <= profile.ram or (
        sizing.memory.limit == 0
    )
    refused = REFUSED & {warning.code for warning in sizing.warnings}
    shape = sizing.connections
    fits = sizing.memory.limit > 0 and sizing.memory.worst_case <= sizing.memory.limit and shape.headroom >= 0
    assert fits is not bool(refused)


@settings(max_examples=150)
@given(MACHINES)
def test_connections_fit_the_server(profile):
    sizing = sized(profile)
    shape = sizing.connections
    pools = shape.workers * (shape.pool_size + shape.max_overflow)
    if profile.pooler is Pooler.PGBOUNCER:
        # One worker more than configured may be alive, and its clients count too.
        assert 0 < shape.pooler_servers <= shape.app_total
        assert pools * (shape.workers + 1) <= shape.pooler_clients * shape.workers
    else:
        assert shape.app_total == pools
        assert shape.pooler_clients == shape.pooler_servers == 0
    assert shape.app_total + shape.reserved <= shape.max_connections
    limits = {role.name: role.connection_limit for role in sizing.roles}
    assert limits["app"] == shape.app_total
    # What the roles may open together leaves the slots that only the administrator gets.
    kept = int(sizing.value("superuser_reserved_connections"))
    assert sum(limits.values()) + kept <= shape.max_connections


@settings(max_examples=150)
@given(MACHINES)
def test_wal_and_temporary_files_fit_the_disk(profile):
    sizing = sized(profile)
    size = {name: parse_pg_size(sizing.value(name)) for name in ("min_wal_size", "max_wal_size", "temp_file_limit")}
    assert 32 * MIB <= size["min_wal_size"] <= size["max_wal_size"] <= profile.disk / 5
    assert parse_pg_size(sizing.value("max_slot_wal_keep_size")) <= profile.disk * 0.3
    assert size["temp_file_limit"] <= profile.disk / 20
    assert int(sizing.value("max_wal_senders")) >= 3


@settings(max_examples=150)
@given(MACHINES, BUILDS)
def test_the_catalogue_of_the_version_takes_every_value(profile, build):
    sizing, known = sized(profile, build), catalog(profile.postgres)
    for parameter in sizing.parameters:
        assert known.check(parameter.name, parameter.value, "sized") is None
        assert parameter.why
        assert parameter.source
    for role in sizing.roles:
        for name, value in role.settings.items():
            assert known.check(name, value, role.name) is None


@cache
def _defaults(postgres):
    return {name: entry.number(entry.default) for name, entry in catalog(postgres).entries.items() if entry.numeric}


def _amounts(sizing, postgres):
    """Every number that a machine gets, by name; a parameter that is not set has its default."""
    known = catalog(postgres).entries
    found = dict(_defaults(postgres))
    found |= {p.name: known[p.name].number(p.value) for p in sizing.parameters if known[p.name].numeric}
    found |= {f"{role.name} limit": role.connection_limit for role in sizing.roles}
    found |= {f"{role.name} work_mem": parse_pg_size(role.settings.get("work_mem", "0B")) for role in sizing.roles}
    found |= {f"{item.service} share": item.memory for item in sizing.budget}
    shape = sizing.connections
    return (
        found
        | {"shm": sizing.shm_size, "pool": shape.pool_size, "pools": shape.app_total}
        | {
            "clients": shape.pooler_clients,
            "servers": shape.pooler_servers,
        }
    )


@settings(max_examples=500)
@example(changed(ram_mib=1023, cpus=2, app_workers=1), 1, 20)
@example(changed(ram_mib=2047, cpus=2, app_workers=2), 1, 25)
@example(changed(ram_mib=4095, cpus=64, workload=Workload.OLAP), 1, 100)
# The buffers grew faster than the share did.
@example(changed(ram_mib=1380, cpus=6, app_workers=1), 2, 20)
@given(MACHINES, st.one_of(st.integers(1, 64), st.integers(1, 1_048_576)), CONNECTIONS)
def test_more_ram_never_gives_less_of_anything(profile, more_mib, connections):
    larger = replace(profile, ram=Bytes(profile.ram + more_mib * MIB))
    pin = {"max_connections": str(connections)}
    before, after = (_amounts(sized(each, **pin), profile.postgres) for each in (profile, larger))
    assert {name: (old, after[name]) for name, old in before.items() if after[name] < old} == {}


@settings(max_examples=150)
@given(MACHINES, CONNECTIONS)
def test_pools_follow_a_pinned_max_connections(profile, wanted):
    shape = sized(profile, max_connections=str(wanted)).connections
    assert shape.max_connections == wanted
    codes = {warning.code for warning in sized(profile, max_connections=str(wanted)).warnings}
    assert (shape.headroom < 0) is ("pool_too_large" in codes)
    if profile.pooler is Pooler.PGBOUNCER:
        # Behind a pooler workers need not have a connection each.
        assert (shape.headroom >= 0) is (shape.reserved < wanted)
    elif shape.workers + shape.reserved <= wanted:
        assert shape.headroom >= 0
    else:
        assert shape.pool_size + shape.max_overflow == 1


@settings(max_examples=200)
@given(MACHINES, BUILDS)
def test_the_same_input_gives_the_same_bytes(profile, build):
    assert repr(sized(profile, build)) == repr(sized(replace(profile), build))


def test_pins_do_not_depend_on_their_order():
    first = sized(REFERENCE, work_mem="16MB", jit="on", shared_buffers="2GB")
    assert first.memory == sized(REFERENCE, shared_buffers="2GB", jit="on", work_mem="16MB").memory


@settings(max_examples=200)
# Once only 20 to 22 connections left the server enough: halving stepped over them, to 11, which are too few.
@example(SMALL, "max_connections", 3)
@given(
    MACHINES,
    st.sampled_from(["work_mem", "shared_buffers", "maintenance_work_mem", "temp_buffers", "max_connections"]),
    st.integers(1, 60),
)
def test_the_change_that_a_refusal_names_does_pass(profile, name, factor):
    """Whatever single pin breaks the proof, the value of the hint mends it."""
    large = {"max_connections": str(250 * factor)}.get(name, f"{factor * profile.ram // 50 // MIB + 8}MB")
    sizing = sized(profile, **{name: large})
    if sizing.memory.verdict is not Verdict.FAIL:
        return
    start = f"{name} at most "
    assert sizing.memory.fix.startswith(start)
    mended = sizing.memory.fix.removeprefix(start).split()[0]
    assert sized(profile, **{name: mended}).memory.verdict is not Verdict.FAIL


def test_a_machine_too_small_for_a_scheduler_is_told_what_to_do_without():
    sizing = sized(changed(ram_mib=600, cpus=1, app_workers=1, scheduled=True))
    assert sizing.memory.verdict is Verdict.FAIL
    assert sizing.memory.fix.startswith("backup.scheduler: none")
    assert sized(changed(ram_mib=600, cpus=1, app_workers=1)).memory.verdict is Verdict.OK
