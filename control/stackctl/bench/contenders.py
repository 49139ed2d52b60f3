"""Who is compared: a name and the settings that its server starts with. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from stackctl.hardware.model import Build
from stackctl.sizing.catalog import Catalog
from stackctl.sizing.model import Sizing
from stackctl.sizing.peers import PEERS

STOCK, OURS, BARE = "stock", "stackctl", "bare"
NAMES = (OURS, *PEERS, BARE)
# Stock in a pair with itself: a trial of the method, which should find no difference.
AGAIN = "stock again"
# A throwaway server has places and guests of its own, and archives nothing.
_PLACES = frozenset(
    [
        *("listen_addresses", "port", "unix_socket_directories", "unix_socket_permissions", "unix_socket_group"),
        *("hba_file", "ident_file", "lc_messages", "lc_monetary", "lc_numeric", "lc_time"),
        *("data_directory", "external_pid_file", "ssl", "ssl_cert_file", "ssl_key_file", "cluster_name"),
        *("archive_mode", "archive_command", "archive_library", "archive_timeout", "restore_command"),
        *("primary_conninfo", "synchronous_standby_names", "logging_collector", "log_destination", "log_directory"),
        *("log_filename", "shared_preload_libraries", "dynamic_shared_memory_type", "password_encryption"),
    ]
)
_OBSERVING = ("log_", "track_", "pg_stat_statements.", "auto_explain.", "compute_query_id")
# What a timestamp of each commit costs is a price of the configuration, though its name begins like those.
_NOT_OBSERVING = frozenset(["track_commit_timestamp"])
_PRELOADED = "pg_stat_statements"
# With these off, what was committed may be lost or torn in a crash.
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_OFF = frozenset(["off", "of", "false", "fals", "fal", "fa", "f", "no", "n", "0"])


@dataclass(frozen=True)
class Contender:
    """A configuration: what its server is started with, and what of it this server cannot have, with the reason.

    `pool` is how many connections the pool has that comes with it, 0 where there is none.
    """

    name: str
    settings: Mapping[str, str]
    left_out: Mapping[str, str]
    pool: int = 0

    @property
    def traded(self) -> tuple[str, ...]:
        """The settings by which it trades durability for speed."""
        given = {name.lower(): value.strip().lower() for name, value in self.settings.items()}
        return tuple(name for name in _DURABLE if given.get(name) in _OFF)


def stock(sizing: Sizing) -> Contender:
    """PostgreSQL's defaults, with the same observability as ours: what that costs is a question of its own."""
    return Contender(STOCK, _observed({}, sizing), {})


def contender(name: str, sizing: Sizing, catalog: Catalog, build: Build) -> Contender:
    """Ours, a peer, stock once more, or `bare`: stock without any observability."""
    if name == STOCK:
        return Contender(AGAIN, stock(sizing).settings, {})
    if name == BARE:
        return Contender(BARE, {}, {})
    if name == OURS:
        ours = _runnable(name, {each.name: each.value for each in sizing.parameters}, sizing, catalog, build)
        return replace(ours, pool=sizing.connections.app_total)
    return _runnable(name, PEERS[name](sizing.profile), sizing, catalog, build)


def from_file(name: str, values: Mapping[str, str], sizing: Sizing, catalog: Catalog, build: Build) -> Contender:
    """The settings of a configuration file."""
    return _runnable(name, values, sizing, catalog, build)


def _runnable(name: str, values: Mapping[str, str], sizing: Sizing, catalog: Catalog, build: Build) -> Contender:
    left_out = {key: reason for key, value in values.items() if (reason := _impossible(key, value, catalog, build))}
    kept = {key: value for key, value in values.items() if key not in left_out and key.lower() not in _PLACES}
    return Contender(name, _observed(kept, sizing), left_out)


def _observed(values: Mapping[str, str], sizing: Sizing) -> dict[str, str]:
    """`values` with our own observability in the place of theirs, so that nobody wins by looking away."""
    ours = {each.name: each.value for each in sizing.parameters if _observes(each.name)}
    rest = {name: value for name, value in values.items() if not _observes(name)}
    return {**rest, **ours, "shared_preload_libraries": _PRELOADED}


def _observes(name: str) -> bool:
    return name.startswith(_OBSERVING) and name not in _PLACES | _NOT_OBSERVING


def _impossible(name: str, value: str, catalog: Catalog, build: Build) -> str:
    """Why this server cannot have it; empty where it can."""
    if name.lower() in _PLACES or "." in name:
        return ""
    if name.lower() not in {known.lower() for known in catalog.entries}:
        return f"unknown to PostgreSQL {catalog.major}"
    for parameter, choice, there in (
        ("wal_compression", "lz4", build.lz4),
        ("wal_compression", "zstd", build.zstd),
        ("default_toast_compression", "lz4", build.lz4),
        ("io_method", "io_uring", build.io_uring),
    ):
        if name.lower() == parameter and value.lower() == choice and not there:
            return f"this server was built without {choice}"
    return ""
