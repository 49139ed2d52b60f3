"""How keys are read from text."""

from pathlib import PurePath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stackctl.hardware.model import FULL_BUILD, PORTABLE_BUILD, Build
from stackctl.settings import values
from stackctl.settings.values import Fault

WHOLE_CPUS = "write a whole number from 1 to 1024"
NO_BUILD = "is no feature of a build and no whole path of a folder"
FEATURES = "choose one of lz4, zstd, llvm, io_uring, full, portable"
MAJORS = "choose one of 15, 16, 17, 18"


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (values.ram, "16G", 17_179_869_184),
        (values.ram, "16GB", 17_179_869_184),
        (values.ram, "16384M", 17_179_869_184),
        (values.ram, "512M", 536_870_912),
        (values.disk, "1G", 1_073_741_824),
        (values.cpus, "1024", 1024),
        (values.storage, "SSD", "ssd"),
        (values.postgres, "15", 15),
        (values.app_workers, "1", 1),
        (values.build, "lz4", Build(lz4=True)),
        (values.build, " LZ4, zstd ,llvm,io_uring,lz4", FULL_BUILD),
        (values.build, "full", FULL_BUILD),
        (values.build, "Portable", PORTABLE_BUILD),
        (values.build, " /usr/lib/postgresql/15/Bin ", PurePath("/usr/lib/postgresql/15/Bin")),
        (values.connections, "20", 20),
        (values.connections, "10000", 10_000),
        (values.name, "shop-2_x", "shop-2_x"),
        (values.boolean, "Yes", True),
        (values.boolean, "off", False),
    ],
)
def test_reads(read, text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    ("read", "text", "message", "hint"),
    [
        (values.build, "lz5", f"'lz5' {NO_BUILD}", "did you mean lz4?"),
        (values.build, "lz4,", f"'' {NO_BUILD}", FEATURES),
        (
            values.build,
            "lz4,full",
            f"'full' {NO_BUILD}",
            FEATURES.partition(", full")[0],
        ),
        (values.build, "./bin", f"'./bin' {NO_BUILD}", FEATURES),
        (values.build, "", f"'' {NO_BUILD}", FEATURES),
        (values.ram, "16", "'16' is not a size with a unit, such as 16G or 512M", "write 16G"),
        (values.ram, "16384", "'16384' is not a size with a unit, such as 16G or 512M", "write 16384M"),
        (values.ram, "much", "'much' is not a size with a unit, such as 16G or 512M", "write 16G"),
        (values.ram, "511M", "'511M' is less than 512M", "write 512M or more"),
        (values.ram, "0", "'0' is not a size with a unit, such as 16G or 512M", "write 512M or more"),
        (values.ram, "0G", "'0G' is not more than zero", "write 512M or more"),
        (values.ram, "-4G", "'-4G' is not a size with a unit, such as 16G or 512M", "write 512M or more"),
        (values.ram, "-16", "'-16' is not a size with a unit, such as 16G or 512M", "write 512M or more"),
        (values.ram, "8X", "'8X' is not a size with a unit, such as 16G or 512M", "write 8G"),
        (values.ram, "1.5", "'1.5' is not a size with a unit, such as 16G or 512M", "write 1.5G"),
        (values.ram, "0.5X", "'0.5X' is not a size with a unit, such as 16G or 512M", "write 0.5G"),
        (values.ram, "4096 Mbit", "'4096 Mbit' is not a size with a unit, such as 16G or 512M", "write 4096M"),
        (values.ram, "1,5G", "'1,5G' is not a size with a unit, such as 16G or 512M", "write 16G"),
        (values.disk, "40 X", "'40 X' is not a size with a unit, such as 16G or 512M", "write 40G"),
        (values.disk, "900Mbit", "'900Mbit' is not a size with a unit, such as 16G or 512M", "write 1G or more"),
        (values.disk, "1023M", "'1023M' is less than 1G", "write 1G or more"),
        (values.cpus, "1.5", "'1.5' is not a whole number of CPUs", "round a quota down: write 1"),
        (values.cpus, "0.5", "'0.5' is not a whole number of CPUs", "round a quota down: write 1"),
        (values.cpus, "four", "'four' is not a whole number of CPUs", WHOLE_CPUS),
        (values.cpus, "0", "0 is outside 1 to 1024", WHOLE_CPUS),
        (values.cpus, "1025", "1025 is outside 1 to 1024", WHOLE_CPUS),
        (values.cpus, "\u0664", "'\u0664' is not a whole number of CPUs", WHOLE_CPUS),
        (values.storage, "sdd", "'sdd' is not one of hdd, ssd, nvme, network", "did you mean ssd?"),
        (
            values.engine,
            "podman",
            "'podman' is not one of auto, docker, embedded",
            "choose one of auto, docker, embedded",
        ),
        (
            values.postgres,
            "13",
            "PostgreSQL 13 is not supported: its community support ends in November 2025",
            MAJORS,
        ),
        (
            values.postgres,
            "14",
            "PostgreSQL 14 is not supported: its community support ends in November 2026",
            MAJORS,
        ),
        (
            values.postgres,
            "17.2",
            "'17.2' is not a major version of PostgreSQL that is supported",
            "write 17",
        ),
        (values.postgres, "19", "'19' is not a major version of PostgreSQL that is supported", MAJORS),
        (values.app_workers, "257", "257 is outside 1 to 256", "write a whole number from 1 to 256"),
        (values.connections, "19", "19 is outside 20 to 10000", "write a whole number from 20 to 10000"),
        (
            values.connections,
            "10001",
            "10001 is outside 20 to 10000",
            "write a whole number from 20 to 10000",
        ),
        (values.port, "65536", "65536 is outside 1 to 65535", "write a whole number from 1 to 65535"),
        (
            values.name,
            "My Shop",
            "'My Shop' is not a project name (a-z, 0-9, - and _, a letter or digit first)",
            "write my-shop, for example",
        ),
        (values.boolean, "maybe", "'maybe' is not on or off", "write on or off"),
    ],
)
def test_refuses_with_what_to_write_instead(read, text, message, hint):
    with pytest.raises(Fault) as caught:
        read(text)
    assert (str(caught.value), caught.value.hint) == (message, hint)


@pytest.mark.parametrize("text", ["9" * 400 + "G", "9" * 5000, "", "-1G", "\n"])
def test_absurd_sizes_are_faults_and_not_crashes(text):
    with pytest.raises(Fault):
        values.ram(text)


@pytest.mark.parametrize("text", ["", "-a", "_a", "a.b", "a\n", "\u00e9t\u00e9", "A"])
def test_names_that_compose_would_refuse(text):
    with pytest.raises(Fault):
        values.name(text)


@pytest.mark.parametrize("read", [values.ram, values.disk])
# A separator that regular expressions count as space.
@example(text="0\x1f")
@given(
    text=st.one_of(st.text(max_size=12), st.from_regex(r"-?[0-9]{1,9}(\.[0-9]{1,5})? ?[A-Za-z]{0,4}", fullmatch=True))
)
def test_the_hint_of_a_size_is_a_size_that_is_taken(read, text):
    hint = ""
    try:
        read(text)
    except Fault as fault:
        hint = fault.hint
    assert not hint or read(hint.removeprefix("write ").removesuffix(" or more"))
