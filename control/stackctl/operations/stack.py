"""A stack ready to be written: settings, sizing, engine and rendered files, with nothing changed yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stackctl.engine.base import Deployment, Engine
from stackctl.engine.runner import Runner
from stackctl.errors import Problem, ProfileError
from stackctl.hardware.model import PORTABLE_BUILD
from stackctl.operations.engines import Choice, choose, open_engine
from stackctl.operations.project import (
    REMEMBERED,
    Opened,
    fitted,
    larger_than_host,
    open_project,
    refuse_failing,
    sized,
)
from stackctl.operations.result import Request
from stackctl.operations.state import State
from stackctl.render.model import File
from stackctl.render.stack import SERVICES, Stack, render_stack
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
        profile = self.opened.settings.profile
        reason = (
            self.opened.state.reason
            if self.opened.state and self.opened.settings.engine == "auto"
            else self.choice.reason
        )
        asked = self.opened.request
        flags = {key: asked.flags.get(key) for key in REMEMBERED if asked.flags.get(key)}
        name, choice = self.opened.project.name, self.choice
        known = self.opened.state.versions if self.opened.state else {}
        versions = {**known, choice.engine: profile.postgres}
        return State(name, choice.engine, reason, choice.images, versions, flags, list(asked.sets))

    def files(self) -> tuple[File, ...]:
        """The rendered files; the secrets must exist, as volumes are labelled with their fingerprint."""
        extra = self.engine.extra(self.sizing, self.deployment)
        stack = Stack(self.opened.project.name, self.deployment.place, self.deployment.services, extra)
        return render_stack(self.sizing, stack, self.deployment.target)


def prepare(request: Request, runner: Runner) -> Prepared:
    """Resolve, choose and size; refuse what cannot run on this host. Writes nothing."""
    opened = open_project(request)
    if opened.settings.fit:
        opened = replace(opened, settings=fitted(opened.settings, opened.host))
    elif too_large := larger_than_host(opened.settings.profile, opened.host):
        raise ProfileError.of(too_large)
    choice = choose(opened, runner)
    _refuse_other_version(opened, choice)
    refuse_failing(sized(opened.settings, PORTABLE_BUILD))
    engine = open_engine(opened, choice, runner)
    shares = {share.service for share in divide(opened.settings.profile)}
    deployment = engine.deployment([service for service in SERVICES if service in shares])
    sizing = sized(opened.settings, deployment.build)
    missing = _missing(deployment)
    return Prepared(opened, choice, engine, deployment, sizing, (*opened.settings.warnings, *sizing.warnings, *missing))


def make_secrets(prepared: Prepared) -> tuple[str, ...]:
    """Generate the secrets that do not exist yet; gives back their names."""
    return Vault(prepared.opened.project.secrets).ensure()


def _refuse_other_version(opened: Opened, choice: Choice) -> None:
    wanted = opened.settings.profile.postgres
    there = opened.state.versions.get(choice.engine, wanted) if opened.state else wanted
    if there != wanted:
        raise ProfileError(
            f"the data is PostgreSQL {there}, not {wanted}",
            hint=f"--pg {there}; another major version needs a dump and a restore into a new project",
        )


def _missing(deployment: Deployment) -> list[Problem]:
    if not deployment.missing:
        return []
    names, reasons = ", ".join(deployment.missing), "; ".join(dict.fromkeys(deployment.missing.values()))
    return [Problem("service_missing", f"the stack runs without {names}", reasons)]
