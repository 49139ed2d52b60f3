"""Sizes and times, as people and PostgreSQL write them."""

import pytest

from stackctl import units


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16G", 17_179_869_184),
        ("16GB", 17_179_869_184),
        ("16GiB", 17_179_869_184),
        ("16384M", 17_179_869_184),
        ("16777216K", 17_179_869_184),
        ("2t", 2_199_023_255_552),
        (" 1.5 G ", 1_610_612_736),
        ("0.5m", 524_288),
    ],
)
def test_sizes_people_write(text, size):
    assert units.parse_bytes(text) == size


@pytest.mark.parametrize("text", ["16", "", "G", "16X", "16GG", "-1G", "+1G", "1,5G", "1e3M", "16 G B", "1.G", "0x1G"])
def test_text_that_is_no_size(text):
    with pytest.raises(ValueError, match="is not a size with a unit"):
        units.parse_bytes(text)


@pytest.mark.parametrize("text", ["0G", "0.0001K"])
def test_sizes_must_be_more_than_nothing(text):
    with pytest.raises(ValueError, match="is not more than zero"):
        units.parse_bytes(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (4_294_967_296, "4GB"),
        (1_610_612_736, "1536MB"),
        (1_099_511_627_776, "1TB"),
        (65_536, "64kB"),
        (1_049_600, "1025kB"),
        (1_073_742_848, "1048577kB"),
        (0, "0kB"),
    ],
)
def test_sizes_as_postgresql_writes_them(size, text):
    assert units.pg_size(size) == text


@pytest.mark.parametrize(("text", "size"), [("4GB", 2**32), ("64kB", 65_536), ("1.5MB", 1_572_864), ("512B", 512)])
def test_sizes_postgresql_reads(text, size):
    assert units.parse_pg_size(text) == size


@pytest.mark.parametrize("text", ["128M", "4gb", "4 Gb", "64KB", "64", "-1", ""])
def test_sizes_postgresql_refuses(text):
    with pytest.raises(ValueError, match="is not a PostgreSQL memory value"):
        units.parse_pg_size(text)


@pytest.mark.parametrize(
    ("text", "millis"),
    [("30s", 30_000), ("15min", 900_000), ("1.5h", 5_400_000), ("2d", 172_800_000), ("250ms", 250), ("1500us", 2)],
)
def test_times_postgresql_reads(text, millis):
    assert units.parse_pg_time(text) == millis


@pytest.mark.parametrize("text", ["15m", "30sec", "30S", "30", "s"])
def test_times_postgresql_refuses(text):
    with pytest.raises(ValueError, match="is not a PostgreSQL time value"):
        units.parse_pg_time(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (11_596_411_699, "10.8 GiB"),
        (17_179_869_184, "16 GiB"),
        (3_298_534_883_328, "3 TiB"),
        (125_829_120, "120 MiB"),
        (2048, "2 KiB"),
    ],
)
def test_sizes_for_people(size, text):
    assert units.human(size) == text


def test_rounding_goes_down():
    assert units.floor_to(100, 32) == 96
    assert units.floor_to(31, 32) == 0
    assert [units.floor_power_of_two(size) for size in (1, 2, 3, 64, 127)] == [1, 2, 2, 64, 64]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((0, "row"), "0 rows"),
        ((1, "row"), "1 row"),
        ((2, "row"), "2 rows"),
        ((1.0, "hour"), "1 hour"),
        ((0.5, "hour"), "0.5 hours"),
        ((1, "database fits", "databases fit"), "1 database fits"),
        ((3, "database fits", "databases fit"), "3 databases fit"),
    ],
)
def test_one_is_not_many(words, text):
    assert units.counted(*words) == text
