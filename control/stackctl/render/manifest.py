"""The manifest: which asset becomes which file, rendered or copied byte for byte, and for which engine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Target(Enum):
    """What is rendered for."""

    COMPOSE = "compose"
    EMBEDDED = "embedded"


@dataclass(frozen=True)
class Entry:
    """One asset and its destination. Assets that end in `.j2` are rendered, others copied.

    A source that is a folder is copied whole. `service` limits the entry to stacks that have it, `target` to an engine,
    `reference_app` to stacks without an app of the user's own, `pgbackrest` to those whose backups it takes.
    """

    source: str
    destination: str
    mode: int = 0o644
    service: str | None = None
    target: Target | None = None
    reference_app: bool = False
    pgbackrest: bool = False


ENGINE_FILES = ("compose.yaml", "supervisord.conf")

ENTRIES = (
    Entry("stack/compose/compose.yaml.j2", "compose.yaml", target=Target.COMPOSE),
    Entry("config/supervisor/supervisord.conf.j2", "supervisord.conf", target=Target.EMBEDDED),
    Entry("config/postgres/postgresql.conf.j2", "postgres/postgresql.conf"),
    Entry("config/postgres/pg_hba.conf.j2", "postgres/pg_hba.conf"),
    Entry("config/postgres/pg_ident.conf.j2", "postgres/pg_ident.conf"),
    Entry("config/postgres/archive-wal", "postgres/archive-wal", mode=0o755),
    Entry("config/postgres/push-wal", "postgres/push-wal", mode=0o755, pgbackrest=True),
    Entry("config/postgres/health-check", "postgres/health-check", mode=0o755, target=Target.COMPOSE),
    Entry("config/postgres/receive-wal", "postgres/receive-wal", mode=0o755, service="receiver"),
    Entry("config/pgbackrest/pgbackrest.conf.j2", "postgres/pgbackrest.conf", pgbackrest=True),
    Entry("config/postgres/provision.sql.j2", "postgres/provision.sql"),
    Entry("config/postgres/initdb.d", "postgres/initdb.d", mode=0o755, target=Target.COMPOSE),
    Entry("config/pgbouncer/pgbouncer.ini.j2", "pgbouncer/pgbouncer.ini", service="pgbouncer"),
    Entry("config/gunicorn/gunicorn.conf.py", "gunicorn/gunicorn.conf.py", reference_app=True),
    Entry("stack/app", "app", reference_app=True),
    Entry("config/prometheus/prometheus.yml.j2", "prometheus/prometheus.yml", service="prometheus"),
    Entry("config/prometheus/rules", "prometheus/rules", service="prometheus"),
    Entry("config/alertmanager/alertmanager.yml.j2", "alertmanager/alertmanager.yml", service="alertmanager"),
    Entry("config/alertmanager/message.tmpl", "alertmanager/message.tmpl", service="alertmanager"),
    Entry("config/alertmanager/links.tmpl.j2", "alertmanager/links.tmpl", service="alertmanager"),
    Entry(
        "config/grafana/provisioning/datasources/prometheus.yml.j2",
        "grafana/provisioning/datasources/prometheus.yml",
        service="grafana",
    ),
    Entry(
        "config/grafana/provisioning/dashboards/stack.yml.j2",
        "grafana/provisioning/dashboards/stack.yml",
        service="grafana",
    ),
    Entry("dashboards", "grafana/dashboards", service="grafana"),
    Entry("config/scheduler/stackctl.yaml.j2", "scheduler/stackctl.yaml", service="scheduler"),
    Entry("config/observer/expected.json.j2", "observer/expected.json", service="observer"),
    Entry("config/scheduler/stackctl.yaml.j2", "observer/stackctl.yaml", service="observer", target=Target.COMPOSE),
    Entry("config/scheduler/state.json.j2", "observer/state.json", service="observer", target=Target.COMPOSE),
    Entry(
        "config/supervisor/observer.conf.j2",
        "observer/supervisord.conf",
        service="observer",
        target=Target.EMBEDDED,
    ),
    Entry("config/scheduler/state.json.j2", "scheduler/state.json", service="scheduler", target=Target.COMPOSE),
    Entry(
        "config/supervisor/scheduler.conf.j2",
        "scheduler/supervisord.conf",
        service="scheduler",
        target=Target.EMBEDDED,
    ),
)

POSTGRES_ENTRIES = (
    Entry("config/postgres/postgresql.conf.j2", "postgresql.conf"),
    Entry("config/postgres/pg_hba.conf.j2", "pg_hba.conf"),
)
