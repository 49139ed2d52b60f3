"""The keys of the section `backup` that pgBackRest needs."""

from pathlib import Path

import pytest

from stackctl.errors import ProfileError
from stackctl.settings.backup import backup_settings
from stackctl.settings.pgbackrest import PgBackRest, Remote
from stackctl.settings.project_file import load

S3 = "repository: s3://shop-backups/production\n  key_file: s3.key\n  secret_file: /etc/shop/s3.secret"
KEYS = {"key_file": "s3.key", "secret_file": "/etc/shop/s3.secret"}


@pytest.fixture
def read(tmp_path):
    def settings(lines):
        path = tmp_path / "stackctl.yaml"
        path.write_text(f"backup:\n  {lines}\n")
        return backup_settings(load(path).keys, tmp_path)

    return settings


@pytest.mark.parametrize(
    "lines", ["redundancy: 2", "repository: /srv/backups", "engine: native", "encryption: off", "encryption: false"]
)
def test_the_native_engine_takes_the_backups_where_nothing_asks_for_another(read, lines):
    assert read(lines).pgbackrest is None


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("engine: pgbackrest", PgBackRest()),
        ("encryption: on", PgBackRest(encryption=True)),
        ("encryption: true\n  compression: lz4", PgBackRest(encryption=True, compression="lz4")),
        (S3, PgBackRest(Remote("s3", "shop-backups", "/production"), options=KEYS)),
    ],
)
def test_a_name_encryption_or_a_url_asks_for_it(read, lines, found):
    assert read(lines).pgbackrest == found


def test_a_folder_is_kept_and_a_store_is_no_folder(read):
    assert read("engine: pgbackrest\n  repository: /srv/backups").repository == Path("/srv/backups")
    assert read(S3).repository is None


@pytest.mark.parametrize(
    ("url", "remote", "shown"),
    [
        ("s3://shop-backups", Remote("s3", "shop-backups", "/"), "s3://shop-backups"),
        ("s3://shop-backups/a/b/", Remote("s3", "shop-backups", "/a/b"), "s3://shop-backups/a/b"),
        ("azure://shop/main", Remote("azure", "shop", "/main"), "azure://shop/main"),
        ("gs://shop.example/main", Remote("gcs", "shop.example", "/main"), "gs://shop.example/main"),
    ],
)
def test_stores(read, url, remote, shown):
    given = f"repository: {url}\n  key_file: k\n  secret_file: s\n  account: shop"
    found = read(given).pgbackrest.remote
    assert found == remote
    assert str(found) == shown


@pytest.mark.parametrize("text", ["store.example:9000", "https://store.example:9000/"])
def test_the_host_of_a_store_of_ones_own(read, text):
    assert read(f"{S3}\n  endpoint: {text}").pgbackrest.options["endpoint"] == "store.example:9000"


def test_files_are_absolute_or_below_the_project(read):
    found = read(S3).pgbackrest
    assert found.file("key_file", Path("/srv/shop")) == Path("/srv/shop/s3.key")
    assert found.file("secret_file", Path("/srv/shop")) == Path("/etc/shop/s3.secret")
    assert found.file("ca_file", Path("/srv/shop")) is None


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        ("engine: native\n  repository: s3://shop-backups/x\n  key_file: k\n  secret_file: s", {"repository"}),
        ("engine: native\n  encryption: on", {"encryption"}),
        ("engine: native\n  compression: gz", {"compression"}),
        ("region: eu-central-1", {"region"}),
        ("key_file: k", {"key_file"}),
        ("engine: pgbackrest\n  endpoint: store.example\n  ca_file: ca.crt", {"endpoint", "ca_file"}),
        ("repository: s3://shop-backups/x", {"key_file", "secret_file"}),
        ("repository: azure://shop/x\n  key_file: k", {"account"}),
        ("repository: gs://shop/x", {"key_file"}),
        ("encryption: on\n  schedule:\n    logical: 0 3 * * *", {"schedule.logical"}),
        ("encryption: on\n  pace: gentle", {"pace"}),
        ("engine: pgbackrest\n  wal: stream", {"wal"}),
        (f"{S3}\n  wal: Sync", {"wal"}),
        (
            "encryption: on\n  pace: full\n  wal: sync\n  schedule:\n    logical: 0 5 1 * *",
            {"pace", "wal", "schedule.logical"},
        ),
    ],
)
def test_keys_that_contradict_one_another_are_all_named(read, lines, keys):
    with pytest.raises(ProfileError) as caught:
        read(lines)
    named = {problem.message.partition(":")[0].removeprefix("backup.") for problem in caught.value.problems}
    assert keys <= named
    assert all(problem.hint for problem in caught.value.problems)


@pytest.mark.parametrize("wal", ["stream", "sync"])
def test_a_receiver_is_refused_by_the_names_of_both_keys(read, wal):
    """It throws away what it finds in the archive, and cannot look into that of pgBackRest."""
    with pytest.raises(ProfileError, match=rf"^backup\.wal: {wal} needs backup\.engine: native; ") as caught:
        read(f"encryption: on\n  wal: {wal}")
    assert "take out backup.wal" in caught.value.hint


@pytest.mark.parametrize("lines", ["engine: pgbackrest", S3, f"{S3}\n  encryption: off"])
def test_dumps_can_be_scheduled_where_backups_are_not_encrypted(read, lines):
    assert read(f"{lines}\n  schedule:\n    logical: 0 3 * * *").scheduled


def test_a_schedule_of_dumps_beside_encrypted_backups_says_why_not(read):
    with pytest.raises(ProfileError, match=r"^backup\.schedule\.logical: a dump is not encrypted, .* in the clear"):
        read(f"{S3}\n  encryption: on\n  schedule:\n    logical: 0 3 * * *")


def test_a_schedule_of_pgbackrest_is_the_stacks_own(read):
    lines = "encryption: on\n  schedule:\n    full: 15 2 * * 0"
    assert read(lines).scheduled
    found = read(f"{lines}\n  scheduler: none\n  wal: archive")
    assert (found.pgbackrest, dict(found.schedule), found.scheduled) == (
        PgBackRest(encryption=True),
        {"full": "15 2 * * 0"},
        False,
    )


@pytest.mark.parametrize(
    "line",
    [
        "repository: ftp://shop/x",
        "repository: https://shop.example/x",
        "repository: s3://KEY:SECRET@shop/x",
        "repository: s3://shop/x?region=eu",
        "repository: s3:///x",
        "repository: s3://shop/../other",
        'repository: "s3://shop/x y"',
        "engine: barman",
        "encryption: maybe",
        "compression: bz2",
        "endpoint: http://store.example",
        "endpoint: store.example/bucket",
        'region: "eu central"',
        'region: "eu\\nrepo1-path=/"',
        "key_file: ~/s3.key",
        "key_file: $HOME/s3.key",
        'key_file: "a\\nb"',
    ],
)
def test_values_that_say_nothing_are_refused_with_the_name_of_their_key(read, line):
    with pytest.raises(ProfileError) as caught:
        read(line)
    assert f"backup.{line.partition(':')[0]}" in str(caught.value)


@pytest.mark.parametrize("url", ["s3://KEY:verysecret@shop/x", "s3://shop/x?key=verysecret", "S4://verysecret@shop"])
def test_keys_in_a_url_are_not_shown_again(read, url):
    with pytest.raises(ProfileError) as caught:
        read(f"repository: {url}")
    assert "verysecret" not in "".join(f"{each.message}{each.hint}" for each in caught.value.problems)
