"""Alertmanager's side of rendering: receivers, without any secret, and what silences what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from stackctl.render.model import Place
from stackctl.settings.alerts import EMAIL, FILES, PAGE, WEBHOOK, AlertReceiver, AlertSettings

# One Alertmanager has no peers to talk to. With the receiver's name in its metrics, `stackctl alerts test` knows of
# which one it reads.
FLAGS = ("--cluster.listen-address=", "--enable-feature=receiver-name-in-metrics")
# What `stackctl alerts test` sends, and the label that says to whom.
TEST, TEST_RECEIVER = "StackctlTest", "receiver"
# What the metrics of the exporter would say while it lives.
_OF_EXPORTER = (
    "AutovacuumBehind",
    "CacheHitLow",
    "CheckpointsForced",
    "ConnectionsHigh",
    "DatabaseRestarted",
    "Deadlocks",
    "IdleInTransaction",
    "ReplicationSlotLag",
    "SlowStatement",
    "TempFilesHigh",
)
# What follows from a database that is down and says nothing more: one that hangs takes its exporter's scrapes along.
# Not what may be why it is down, as DiskFilling, DatabaseCpuHigh, WalArchiveFailing and WraparoundNear, nor what needs
# a hand of its own, as BackupTooOld and AppDown, nor what is needed now, as BackupFailed.
_OF_DATABASE = (
    *_OF_EXPORTER,
    "HttpErrorBudgetBurn",
    "PoolSaturation",
    "PostgresExporterDown",
    "QueryLatencyHigh",
    "ReplicationLag",
    "SettingsDrift",
    "TableBloat",
)

# The labels by which two alerts of one name are of the same thing; what both lack is equal.
_TABLE, _BACKUP = ("datname", "schemaname", "relname"), ("kind", "schedule_job")
SAME = ("alertname", "stack", "job", "instance", *_TABLE, "usename", "slot_name", "disk", "route", *_BACKUP)


def settings(chosen: AlertSettings, place: Place, digest: str) -> Mapping[str, Any]:
    """What the templates need: receivers as Alertmanager spells them, routes, and names of secrets."""
    return {
        "digest": digest,
        "secrets": list(chosen.secrets()),
        "repeat": duration(chosen.repeat),
        "runbooks": chosen.runbooks,
        "routes": [(each.name, _any_of(each.severities)) for each in chosen.receivers],
        "receivers": [(each.name, f"{each.kind}_configs", _config(each, place)) for each in chosen.receivers],
        "flags": list(FLAGS),
        "page": PAGE,
        "test": (TEST, TEST_RECEIVER),
        "of_database": _any_of(sorted(_OF_DATABASE)),
        "of_exporter": _any_of(_OF_EXPORTER),
        "same": SAME,
    }


def duration(span: timedelta) -> str:
    """A span of whole minutes as Prometheus writes it."""
    minutes = span // timedelta(minutes=1)
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


def _any_of(words: Sequence[str]) -> str:
    return "|".join(words)


def _config(receiver: AlertReceiver, place: Place) -> dict[str, Any]:
    options, files = receiver.options, _files(receiver, place)
    found: dict[str, Any] = {"send_resolved": receiver.resolved}
    trust = {"ca_file": files["ca_file"]} if "ca_file" in files else {}
    if receiver.kind == EMAIL:
        found |= {"to": options["to"], "from": options["sender"], "smarthost": options["server"]}
        if "username" in options:
            found |= {"auth_username": options["username"], "auth_password_file": files["password_file"]}
        found |= {"require_tls": options.get("tls", "on") == "on"}
        found |= {"tls_config": trust} if trust else {}
        return found | {"headers": {"Subject": _template("title")}, "text": _template("text")}
    client: dict[str, Any] = {"tls_config": trust} if trust else {}
    if "token_file" in files:
        client |= {"authorization": {"type": "Bearer", "credentials_file": files["token_file"]}}
    found |= {"http_config": client} if client else {}
    if receiver.kind == WEBHOOK:
        return found | {"url_file": files["url_file"]}
    found |= {"channel": options["channel"]} if "channel" in options else {}
    said = {"title": _template("title"), "title_link": _template("link"), "text": _template("text")}
    return found | {"api_url_file": files["url_file"], **said, "fallback": _template("title")}


def _files(receiver: AlertReceiver, place: Place) -> dict[str, str]:
    """Where the service finds the copy of each file that the project names."""
    return {key: f"{place.secrets}/{name}" for name, key in receiver.secrets().items() if key in FILES}


def _template(name: str) -> str:
    return f'{{{{ template "stackctl.{name}" . }}}}'
