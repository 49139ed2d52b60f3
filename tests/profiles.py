"""Profiles that several tests start from, and their sizing."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import Any

from stackctl import assets
from stackctl.hardware.model import FULL_BUILD, Build, HardwareProfile, Storage, Workload
from stackctl.settings.resolve import default_workers
from stackctl.sizing.catalog import Catalog, parse_catalog
from stackctl.sizing.model import Pin, Sizing
from stackctl.sizing.plan import size
from stackctl.units import Bytes

MIB = 1_048_576
GIB = 1_073_741_824

# The machine that the requirements speak of.
REFERENCE = HardwareProfile(
    ram=Bytes(16 * GIB),
    cpus=4,
    storage=Storage.SSD,
    disk=Bytes(200 * GIB),
    workload=Workload.WEB,
    postgres=17,
    app_workers=4,
)


@cache
def catalog(major: int) -> Catalog:
    return parse_catalog(major, assets.read(f"config/postgres/catalog-{major}.tsv"))


def changed(**fields: Any) -> HardwareProfile:
    """The reference profile with some fields changed; `ram` and `disk` are in MiB and GiB."""
    if "ram_mib" in fields:
        fields["ram"] = Bytes(fields.pop("ram_mib") * MIB)
    if "disk_gib" in fields:
        fields["disk"] = Bytes(fields.pop("disk_gib") * GIB)
    return replace(REFERENCE, **fields)


def sized(profile: HardwareProfile = REFERENCE, build: Build = FULL_BUILD, **pins: str) -> Sizing:
    """The sizing of a profile with pins as from the project file."""
    given = {name: Pin(value, "stackctl.yaml") for name, value in pins.items()}
    return size(profile, given, catalog(profile.postgres), build)


def sample(count: int, seed: int = 3) -> list[HardwareProfile]:
    """Machines from the whole space of inputs, the same ones each time."""
    dice = random.Random(seed)
    machines = []
    for _ in range(count):
        ram = Bytes(int(512 * 2 ** dice.uniform(0, 11)) * MIB)
        cpus = dice.choice([1, 2, 3, 4, 6, 8, 16, 48, 128])
        machines.append(
            HardwareProfile(
                ram=ram,
                cpus=cpus,
                storage=dice.choice(list(Storage)),
                disk=Bytes(int(10 * 2 ** dice.uniform(0, 12)) * GIB),
                workload=dice.choice(list(Workload)),
                postgres=17,
                app_workers=default_workers(ram, cpus),
                wal_rate=Bytes(dice.choice([0, 0, 100 * 1024, 5 * MIB, 80 * MIB])),
            )
        )
    return machines
