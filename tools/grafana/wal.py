"""WAL, checkpoints and backups: whether what is committed can be had back."""

from __future__ import annotations

from grafana.backups import BACKUPS, KINDS, RECOVERY
from grafana.board import Board, Section
from grafana.marks import ANY, LOOK_AGE, QUEUE, RECEIVER
from grafana.panels import Line, Query, Words, stat, timeseries
from grafana.promql import age, backups_are, grown, or_zero, rate, series, total

# Counters of checkpoints moved to a view of their own in PostgreSQL 17: (newer, older) names of each.
_CHECKPOINTS = {
    "timed": ("pg_stat_checkpointer_num_timed_total", "pg_stat_bgwriter_checkpoints_timed_total"),
    "requested": ("pg_stat_checkpointer_num_requested_total", "pg_stat_bgwriter_checkpoints_req_total"),
}
_TIMES = {
    "write": ("pg_stat_checkpointer_write_time_total", "pg_stat_bgwriter_checkpoint_write_time_total"),
    "sync": ("pg_stat_checkpointer_sync_time_total", "pg_stat_bgwriter_checkpoint_sync_time_total"),
}
_WRITTEN = ("pg_stat_checkpointer_buffers_written_total", "pg_stat_bgwriter_buffers_checkpoint_total")
_BLOCK = f"max({series('pg_settings_block_size')})"


def _either(names: tuple[str, str], *, per_second: bool) -> str:
    return " or ".join(total("", rate(name) if per_second else grown(name)) for name in names)


_WAL = Line(
    8,
    (
        timeseries(
            Words(
                "WAL on the database's disk",
                "Size of pg_wal, and of what a slot keeps there.",
                "Far above max_wal_size: the archive or a slot holds it back.",
            ),
            [
                Query(f"max({series('pg_wal_size_bytes')})", "pg_wal"),
                Query(f"max({series('pg_settings_max_wal_size_bytes')})", "max_wal_size"),
                Query(
                    f"max by (slot_name) ({series('pg_replication_slots_pg_wal_lsn_diff')})", "kept by {{slot_name}}"
                ),
            ],
            "bytes",
        ),
        timeseries(
            Words(
                "Checkpoints",
                "Checkpoints by the clock, and those forced by max_wal_size, in the window before each point.",
                "Forced ones again and again make writing slower: give it a larger max_wal_size.",
            ),
            [Query(_either(names, per_second=False), kind) for kind, names in _CHECKPOINTS.items()],
            "none",
        ),
        timeseries(
            Words(
                "Time of checkpoints",
                "Milliseconds per second that checkpoints spent writing, and waiting for the disk to have it.",
                "Much sync: the disk does not keep up with its fsync.",
            ),
            [Query(_either(names, per_second=True), kind) for kind, names in _TIMES.items()],
            "ms",
        ),
    ),
)
_WRITERS = Line(
    8,
    (
        timeseries(
            Words(
                "Buffers written",
                "Bytes per second written by checkpoints and by the background writer.",
                "Mostly the checkpoints' is right. Writing by sessions themselves is on PostgreSQL, Disk.",
            ),
            [
                Query(f"({_either(_WRITTEN, per_second=True)}) * {_BLOCK}", "checkpoints"),
                Query(f"{total('', rate('pg_stat_bgwriter_buffers_clean_total'))} * {_BLOCK}", "background writer"),
            ],
            "Bps",
        ),
        timeseries(
            Words(
                "Size of the archive",
                "Disk space of archived WAL.",
                "It ends to rise when old backups expire: `stackctl backup expire`.",
            ),
            [Query(f"max({series('stackctl_archive_size_bytes')})", "archive")],
            "bytes",
        ),
        timeseries(
            Words(
                "Receiver",
                "WAL that the receiver has not yet on its disk, with `backup.wal: stream` or `sync` only.",
                "It rises: `stackctl logs receiver`. With sync, commits wait for it.",
            ),
            [Query(f"max({series('stackctl_receiver_lag_bytes')})", "behind")],
            "bytes",
            RECEIVER,
        ),
    ),
)
_STREAM = Line(
    4,
    (
        stat(
            Words(
                "Receiver connected",
                "Whether WAL is received as it is written, with `backup.wal: stream` or `sync` only.",
                "NO: `stackctl logs receiver`. With sync, all writes wait until it is back.",
            ),
            f"min({series('stackctl_receiver_connected')})",
            "none",
            says={"1": ("yes", "green"), "0": ("NO", "red")},
            idle=backups_are("not used"),
        ),
        stat(
            Words(
                "Commits that wait for it",
                "Sessions whose commit waits until the receiver has it, with `sync` only.",
                "Any for more than a second: `stackctl logs receiver`, and docs/how-to/receive-wal.md.",
            ),
            f"max({series('stackctl_receiver_waiting_commits')})",
            "none",
            QUEUE,
            idle=backups_are("not used"),
        ),
        stat(
            Words(
                "Slots without a reader",
                "Slots that nobody reads; each keeps WAL until the disk, or max_slot_wal_keep_size, ends it.",
                "Whose slot is it? `SELECT pg_drop_replication_slot(...)` where nobody's.",
            ),
            or_zero(f"count({series('pg_replication_slots_active')} == 0)", series("pg_wal_size_bytes")),
            "none",
            ANY,
        ),
        stat(
            Words(
                "Last look at the backups",
                "Time since the control plane's exporter last saw them; older numbers than that are on no panel here.",
                "`stackctl logs observer`.",
            ),
            age("stackctl_look_timestamp_seconds"),
            "s",
            LOOK_AGE,
        ),
    ),
)

WAL = Board(
    name="wal",
    title="WAL, checkpoints and backups",
    description="Whether what is committed can be had back.",
    jobs="postgres|stackctl",
    begins="now-24h",
    sections=(
        Section("Backups", (BACKUPS, RECOVERY, KINDS)),
        Section("WAL and checkpoints", (_WAL, _WRITERS)),
        Section("Receivers of WAL", (_STREAM,)),
    ),
)
