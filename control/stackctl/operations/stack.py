"""A stack ready to be written: settings, sizing, engine and rendered files, with nothing changed yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stackctl.backup.generation import Generations
from stackctl.engine.base import Deployment, Engine
from stackctl.engine.generation import HELD
from stackctl.engine.runner import Runner
from stackctl.errors import Problem, ProfileError
from stackctl.hardware.model import PORTABLE_BUILD, HardwareProfile, Wal
from stackctl.operations.alerting.receivers import unsent
from stackctl.operations.backups.engines import archives_there, refuse_unscheduled, refuse_unsupported
from stackctl.operations.build import contradiction, refuse_unbuilt
from stackctl.operations.engines import DOCKER, Choice, choose, open_engine
from stackctl.operations.own_app import app_for_engine
from stackctl.operations.ports import used_ports
from stackctl.operations.project import (
    REMEMBERED,
    Opened,
    for_host,
    open_project,
    refuse_failing,
    sized,
    with_version,
)
from stackctl.operations.result import Request
from stackctl.operations.state import State
from stackctl.render import schedule
from stackctl.render.model import File
from stackctl.render.stack import ALERTMANAGER, OBSERVER, PGBOUNCER, SCHEDULER, SERVICES, Stack, render_stack
from stackctl.settings.alert_secrets import alert_digest, ensure_alert_secrets, lost_secrets
from stackctl.settings.model import Settings
from stackctl.settings.repository_keys import keep_passphrase, wanted_keys
from stackctl.settings.vault import Vault
from stackctl.sizing.budget import divide
from stackctl.sizing.model import Sizing


@dataclass(frozen=True)
class Prepared:
    """Everything `plan` and `up` need."""

    opened: Opened
    choice: Choice
    engine: Engine
    deployment: Deployment
    sizing: Sizing
    warnings: Sequence[Problem]

    @property
    def state(self) -> State:
        """What the project will remember."""
        project, settings, last = self.opened.project, self.opened.settings, self.opened.state
        choice, asked = self.choice, self.opened.request
        return State(
            name=project.name,
            engine=choice.engine,
            reason=last.reason if last and settings.engine == "auto" else choice.reason,
            images=choice.images or settings.images or (last.images if last else ""),
            versions={**(last.versions if last else {}), choice.engine: settings.profile.postgres},
            flags={key: asked.flags.get(key) for key in REMEMBERED if asked.flags.get(key)},
            sets=list(asked.sets),
            folder=str(project.folder),
            ports=used_ports(settings),
            app=settings.app,
            data=last.data if last else {},
        )

    def files(self) -> tuple[File, ...]:
        """The rendered files; the secrets must exist, as volumes are labelled with their fingerprint."""
        extra = {**self.engine.extra(self.sizing, self.deployment), **self._users(), **self._schedule()}
        where, services = self.deployment.place, self.deployment.services
        if not self.state.generations.accepted:
            where = replace(where, archive=HELD)
            # Ours is the command that keeps WAL back, whatever else would archive it.
            extra.pop("archive_command", None)
        prepares, app = self.deployment.pooler_prepares, self.opened.settings.app
        alerts, digest = self.opened.settings.alerts, self._alert_digest()
        stack = Stack(self.opened.project.name, where, services, extra, app, prepares, alerts, digest)
        return render_stack(self.sizing, stack, self.deployment.target)

    def _schedule(self) -> dict[str, Any]:
        if not {SCHEDULER, OBSERVER} & set(self.deployment.services):
            return {}
        values = schedule_values(self.opened.settings, self.state.generations)
        return {"schedule": values}

    def _alert_digest(self) -> str:
        if ALERTMANAGER not in self.deployment.services:
            return ""
        project = self.opened.project
        return alert_digest(Vault(project.secrets), self.opened.settings.alerts, project.folder)

    def _users(self) -> dict[str, str]:
        if PGBOUNCER not in self.deployment.services:
            return {}
        return {"userlist": Vault(self.opened.project.secrets).userlist_digest()}


def prepare(request: Request, runner: Runner) -> Prepared:
    """Resolve, choose and size; refuse what cannot run on this host. Writes nothing."""
    opened = open_project(request)
    opened = replace(opened, settings=for_host(opened.settings, opened.host))
    choice = choose(opened, runner)
    # After the choice, as each engine has versions of its own.
    settings = with_version(opened.settings, opened.state, choice.engine, choice.images)
    opened = replace(opened, settings=_undecided(app_for_engine(settings, choice.engine), opened.state, choice))
    _refuse_other_version(opened, choice)
    refuse_failing(sized(opened.settings, PORTABLE_BUILD))
    refuse_unsupported(opened.project, choice.engine, choice.images)
    refuse_unscheduled(opened.settings.backup)
    _refuse_unheld_disk(opened.settings.profile, choice)
    engine = open_engine(opened, choice, runner)
    shares = {share.service for share in divide(opened.settings.profile)}
    deployment = engine.deployment(wanted_services(opened.settings, shares))
    refuse_unbuilt(opened.settings, deployment.build)
    sizing = sized(opened.settings, deployment.build)
    notes = (
        *contradiction(opened.settings, deployment.build),
        *_missing(deployment),
        *_unprepared(deployment, sizing),
        *unsent(settings.alerts, deployment.services),
        *lost_secrets(Vault(opened.project.secrets), settings.alerts, opened.project.folder),
    )
    return Prepared(opened, choice, engine, deployment, sizing, (*opened.settings.warnings, *sizing.warnings, *notes))


def schedule_values(settings: Settings, generations: Generations) -> dict[str, Any]:
    """What the files of the scheduler and the observer say."""
    current, accepted = generations.current, generations.accepted
    known = schedule.state(settings.name, settings.profile.postgres, current, accepted=accepted)
    return {"settings": schedule.section(settings.backup), "state": known}


def _undecided(settings: Settings, state: State | None, choice: Choice) -> Settings:
    """The settings without a receiver, as long as the history of a restored copy may still be given up."""
    generations = state.data.get(choice.engine) if state else None
    if generations is None or generations.accepted:
        return settings
    return replace(settings, profile=replace(settings.profile, wal=Wal.ARCHIVE))


def wanted_services(settings: Settings, shares: Collection[str]) -> list[str]:
    """The services that the budget has a share for; without a migration where the app has none."""
    left_out = () if settings.app.migrates else ("migrate",)
    return [service for service in SERVICES if service in shares and service not in left_out]


def make_secrets(prepared: Prepared, *, changing: bool = True) -> tuple[str, ...]:
    """Generate the secrets that do not exist yet; gives back their names.

    What opens a repository is only looked at. Where the server does not archive there yet, it is for a command that is
    `changing` that; a passphrase that was lost is never made anew while something may be encrypted by it.
    """
    vault = Vault(prepared.opened.project.secrets)
    project = prepared.opened.project
    made, chosen = (*vault.ensure(), *keep_passphrase(project.repository_keys, vault)), project.pgbackrest
    there = archives_there(project, prepared.engine)
    if chosen is not None and (changing or there):
        if chosen.encryption:
            made = (*made, *vault.ensure_passphrase(new=not there))
        wanted_keys(vault, chosen, project.folder)
    made = (*made, *ensure_alert_secrets(vault, prepared.opened.settings.alerts, project.folder))
    return (*made, *vault.ensure_userlist()) if PGBOUNCER in prepared.deployment.services else made


def _refuse_other_version(opened: Opened, choice: Choice) -> None:
    wanted = opened.settings.profile.postgres
    there = opened.state.versions.get(choice.engine, wanted) if opened.state else wanted
    if there != wanted:
        raise ProfileError(
            f"the data is PostgreSQL {there}, not {wanted}",
            hint=f"--pg {there}; another major version needs a dump and a restore into a new project",
        )


def _refuse_unheld_disk(profile: HardwareProfile, choice: Choice) -> None:
    if profile.disk_limit and choice.engine != DOCKER:
        raise ProfileError(
            f"profile.disk_limit: the {choice.engine} engine cannot hold a disk back",
            hint="--engine docker rehearses a disk; without it, leave --disk-limit out",
        )


def _missing(deployment: Deployment) -> list[Problem]:
    if not deployment.missing:
        return []
    names, reasons = ", ".join(deployment.missing), "; ".join(dict.fromkeys(deployment.missing.values()))
    return [Problem("service_missing", f"the stack runs without {names}", reasons)]


def _unprepared(deployment: Deployment, sizing: Sizing) -> list[Problem]:
    if deployment.pooler_prepares or PGBOUNCER not in deployment.services or not sizing.pool.prepared_statements:
        return []
    message = "this PgBouncer carries no prepared statements, so the app prepares none"
    return [Problem("pooler_unprepared", message, "version 1.22 or newer does, as in Debian 13")]
