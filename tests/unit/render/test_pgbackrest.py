"""What pgBackRest is told of the disk."""

from dataclasses import replace

import pytest

from profiles import changed, sized
from stackctl.hardware.model import Backlog
from stackctl.render.pgbackrest import archive_command, repository, settings
from stackctl.settings.pgbackrest import PgBackRest, Remote
from stackctl.sizing.ballast import ballast_size

GIB, SEGMENT = 2**30, 2**24


@pytest.mark.parametrize("gib", [20, 200, 20_000])
def test_the_wal_that_waits_and_the_ballast_take_a_third_of_the_disk_at_most(gib):
    queue = settings(sized(changed(disk_gib=gib)), PgBackRest())["queue"]
    assert queue == gib * GIB * 3 // 10 // SEGMENT * SEGMENT
    assert queue + ballast_size(gib * GIB) <= gib * GIB // 3


# The keys are those of pgBackRest's configuration reference, without repo1- before them.
@pytest.mark.parametrize(
    ("remote", "options", "said"),
    [
        (
            Remote("s3", "shop", "/main"),
            {"region": "eu-west-1"},
            {
                "type": "s3",
                "path": "/main",
                "s3-bucket": "shop",
                "s3-region": "eu-west-1",
                "s3-endpoint": "s3.eu-west-1.amazonaws.com",
                "s3-uri-style": "host",
            },
        ),
        (
            Remote("azure", "shop", "/main"),
            {"account": "ours"},
            {"type": "azure", "path": "/main", "azure-container": "shop", "azure-account": "ours"},
        ),
        (
            Remote("azure", "shop", "/"),
            {"account": "ours", "endpoint": "store.example:10000", "ca_file": "ca.crt"},
            {
                "type": "azure",
                "path": "/",
                "azure-container": "shop",
                "azure-account": "ours",
                "azure-endpoint": "store.example",
                "azure-uri-style": "path",
                "storage-port": "10000",
                "storage-ca-file": "/run/stackctl-repository/ca.crt",
            },
        ),
        (
            Remote("gcs", "shop", "/main"),
            {"endpoint": "store.example"},
            {
                "type": "gcs",
                "path": "/main",
                "gcs-bucket": "shop",
                "gcs-key": "/run/stackctl-repository/service-key.json",
                "gcs-endpoint": "store.example",
            },
        ),
    ],
)
def test_a_store_in_its_own_words(remote, options, said):
    assert repository(PgBackRest(remote, options=options)) == said


def test_wal_that_is_to_be_kept_is_never_given_up():
    keep = replace(changed(disk_gib=200), backlog=Backlog.KEEP)
    assert " %p %f 1000000000 0 - " in archive_command("shop", keep, local=False)
    store = PgBackRest(Remote("s3", "bucket", "/main"))
    assert settings(sized(keep), store)["queue"] is None
    assert settings(sized(replace(keep, backlog=Backlog.DROP)), store)["queue"] == 3840 * 16 * 2**20


@pytest.mark.parametrize(("local", "folder"), [(True, "/var/lib/stackctl/repository"), (False, "-")])
def test_the_server_runs_what_keeps_the_bounds(local, folder):
    """On a disk of 200 GiB: three tenths are 3840 segments, 8 GiB stay free."""
    command = archive_command("shop", changed(disk_gib=200), local=local)
    assert command == (
        f"sh /etc/stackctl/postgres/push-wal %p %f 3840 8388608 {folder} /tmp/pgbackrest-spool/archive/shop/out "
        "pgbackrest --config=/etc/stackctl/postgres/pgbackrest.conf --config-include-path=/run/stackctl-repository "
        "--stanza=shop"
    )
