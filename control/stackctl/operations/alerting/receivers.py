"""Who is told of alerts, as the project file says, and what is said where nobody is."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from stackctl.errors import Problem, ProfileError
from stackctl.health.model import Check, Status
from stackctl.render.stack import ALERTMANAGER
from stackctl.settings.alert_secrets import check_alert_secrets, lost_secrets
from stackctl.settings.alerts import SECTION, AlertSettings, alert_settings
from stackctl.settings.layers import PROJECT_FILE
from stackctl.settings.project_file import load_section
from stackctl.settings.vault import Vault

NOBODY = "no receiver is configured: alerts are collected and shown, and sent to nobody"
_NAME_ONE = "name one below alerts.receivers in stackctl.yaml, then stackctl up and stackctl alerts test"
NO_ALERTMANAGER = "receivers are configured, but the stack has no Alertmanager: alerts are sent to nobody"
_NO_ALERTMANAGER_HINT = "it needs a profile of 2 GiB or more; the embedded engine also the program, 0.26 or newer"


def section(folder: Path) -> AlertSettings:
    """The section `alerts` of the project in `folder`, whatever else is wrong there. Raises ProfileError."""
    return alert_settings(load_section(folder / PROJECT_FILE, SECTION).keys)


def unsent(settings: AlertSettings, services: Collection[str]) -> list[Problem]:
    """A warning where alerts reach nobody."""
    if ALERTMANAGER not in services:
        return [Problem("alerts_unsent", NO_ALERTMANAGER, _NO_ALERTMANAGER_HINT)] if settings.receivers else []
    return [] if settings.receivers else [Problem("alerts_unsent", NOBODY, _NAME_ONE)]


def judge_secrets(settings: AlertSettings, project: Path, vault: Vault) -> tuple[Check, ...]:
    """Whether `up` can use the files that the receivers name; nothing where they name none."""
    if not settings.secrets():
        return ()
    try:
        check_alert_secrets(vault, settings, project)
    except ProfileError as error:
        return (Check("alert_secrets", Status.FAIL, str(error), error.hint),)
    if lost := lost_secrets(vault, settings, project):
        return (Check("alert_secrets", Status.WARN, lost[0].message, lost[0].hint),)
    return (Check("alert_secrets", Status.OK, "each file holds what it should"),)


def judge_receivers(settings: AlertSettings, services: Collection[str]) -> Check:
    """Whether anybody is told of alerts."""
    if found := unsent(settings, services):
        return Check("alert_receivers", Status.WARN, found[0].message, found[0].hint)
    if not settings.receivers:
        return Check("alert_receivers", Status.SKIP, "the stack has no Alertmanager")
    told = ", ".join(f"{each.name} ({each.kind}: {', '.join(each.severities)})" for each in settings.receivers)
    if not any("critical" in each.severities for each in settings.receivers):
        return Check("alert_receivers", Status.WARN, f"nobody is told of critical alerts: {told}", "add the severity")
    return Check("alert_receivers", Status.OK, told)
