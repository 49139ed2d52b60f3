"""The section `alerts` of the project file: who is told of which alerts, and where their secrets are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from stackctl.settings.layers import Given
from stackctl.settings.pgbackrest import file_path
from stackctl.settings.values import Fault, nearest

SECTION = "alerts"
RECEIVERS = f"{SECTION}.receivers."
WEBHOOK, EMAIL, SLACK = KINDS = ("webhook", "email", "slack")
SEVERITIES = ("critical", "warning", "info")
# Information is for a look at the dashboards: it asks nobody to do anything.
_SENT = ("critical", "warning")
# Twice in a shift of eight hours: often enough that nobody forgets it, seldom enough to be read.
_REPEAT = timedelta(hours=4)
# A group is looked at every five minutes, and Alertmanager remembers for five days what it sent.
_SHORTEST, _LONGEST = timedelta(minutes=5), timedelta(days=5)
REPEAT_PATTERN = r"^\s*[0-9]{1,3}\s*[mhd]\s*$"
NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"
# The name that the rendered file has for alerts which are shown and sent nowhere.
PAGE = "page"
# What each kind needs, and what it may have besides; of all kinds are kind, severities, resolved and ca_file.
_NEEDED = {WEBHOOK: ("url_file",), EMAIL: ("to", "sender", "server"), SLACK: ("url_file",)}
_MORE = {WEBHOOK: ("token_file",), EMAIL: ("username", "password_file", "tls"), SLACK: ("channel",)}
_OF_ALL = ("kind", "severities", "resolved", "ca_file")
# Keys that name a file, and what the file's copy is called.
FILES = {"url_file": "url", "token_file": "token", "password_file": "password", "ca_file": "ca"}


@dataclass(frozen=True)
class AlertReceiver:
    """Who is told: `kind` is webhook, email or slack, `options` the other keys as they were written, by name."""

    name: str
    kind: str
    severities: tuple[str, ...] = _SENT
    resolved: bool = True
    options: Mapping[str, str] = field(default_factory=dict)

    def secrets(self) -> dict[str, str]:
        """The secrets that its files hold: name in the folder of secrets to key of the project file."""
        return {f"alert_{self.name}_{what}": key for key, what in FILES.items() if key in self.options}

    def file(self, key: str, project: Path) -> Path:
        """The file that `key` names, below the folder of the project where it is not a whole path."""
        return project / self.options[key]


@dataclass(frozen=True)
class AlertSettings:
    """Who is told of alerts, and how often of one that lasts. Without receivers they are only shown.

    `runbooks` is the URL of the folder of runbooks, without a slash at its end; empty where they have none.
    """

    receivers: tuple[AlertReceiver, ...] = ()
    repeat: timedelta = _REPEAT
    runbooks: str = ""

    def secrets(self) -> tuple[str, ...]:
        """Names of all secrets that Alertmanager reads."""
        return tuple(name for receiver in self.receivers for name in receiver.secrets())


def receiver_name(text: str) -> str:
    """The name of a receiver: routes, secrets and metrics are called by it."""
    if not re.fullmatch(NAME_PATTERN[1:-1], text):
        raise Fault("is no name for a receiver", "use up to 40 of a-z, 0-9, _ and -")
    if text == PAGE:
        raise Fault("is what alerts that go nowhere are kept for", "take another name")
    return text


def kind(text: str) -> str:
    """How it is told."""
    if text.strip() not in KINDS:
        raise Fault(f"{text!r} is not one of {', '.join(KINDS)}", nearest(text.strip(), KINDS))
    return text.strip()


def severities(text: str) -> tuple[str, ...]:
    """Which severities it is told of, with commas between them."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in SEVERITIES:
            raise Fault(f"{word!r} is not one of {', '.join(SEVERITIES)}", nearest(word, SEVERITIES))
    if not words:
        raise Fault("names no severity", f"write some of {', '.join(SEVERITIES)}, or take the receiver out")
    return tuple(each for each in SEVERITIES if each in words)


def switch(text: str) -> bool:
    """Whether it is on."""
    if text.strip() not in ("on", "off"):
        raise Fault(f"{text!r} is not on or off", "write on or off")
    return text.strip() == "on"


def repeat(text: str) -> timedelta:
    """After what time an alert that lasts is told again."""
    match = re.fullmatch(r"([0-9]{1,3})\s*([mhd])", text.strip())
    if match is None:
        raise Fault(f"{text!r} is no span of time", "write 4h, with m, h or d for minutes, hours or days")
    span = timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[match[2]]: int(match[1])})
    if not _SHORTEST <= span <= _LONGEST:
        raise Fault(f"{text!r} is outside 5m to 5d", "write 4h, for example")
    return span


def runbooks(text: str) -> str:
    """The URL below which each runbook has its page, without a slash at its end."""
    # Braces would be read as a template, and what follows ? or # is no folder.
    if not re.fullmatch(r"https?://[^\s/{}<>\"'\\?#|]+(/[^\s{}<>\"'\\?#|]*)?", text.strip()) or not text.isprintable():
        raise Fault(f"{text!r} is no URL of a folder", "write https://git.example.com/shop/blob/main/docs/runbooks")
    return text.strip().rstrip("/")


def addresses(text: str) -> str:
    """One or more addresses of e-mail, with commas between them."""
    found = [word.strip() for word in text.split(",")]
    for word in found:
        # Braces would be read as a template, other signs as further headers.
        if not re.fullmatch(r"[^\s@{}<>,;\"]+@[^\s@{}<>,;\"]+", word) or not word.isprintable():
            raise Fault(f"{word!r} is no address of e-mail", "write ops@example.com, with commas between more of them")
    return ", ".join(found)


def server(text: str) -> str:
    """Host and port of a mail server."""
    match = re.fullmatch(r"([A-Za-z0-9.-]{1,250}|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", text.strip())
    if match is None or not 0 < int(match[2]) < 65_536:
        raise Fault(f"{text!r} is no HOST:PORT", "write smtp.example.com:587, for example")
    return text.strip()


def username(text: str) -> str:
    """The account at the mail server."""
    if not text.strip() or not text.isprintable():
        raise Fault(f"{text!r} is no name of an account", "write it on one line")
    return text.strip()


def channel(text: str) -> str:
    """A channel or a person in Slack."""
    if not re.fullmatch(r"[#@]?[\w.-]{1,80}", text.strip()):
        raise Fault(f"{text!r} is no channel", "write '#ops', in quotes")
    return text.strip()


def secret_file(text: str) -> str:
    """A file: absolute, or below the project's folder."""
    if "://" in text:
        # It is the secret itself, and is not said again.
        raise Fault("names a file with the URL, not the URL", "write it into a file of its own, such as /etc/shop/url")
    return file_path(text)


def check_company(given: Mapping[str, object]) -> None:
    """Raise Fault where the keys of one receiver do not go together."""
    chosen = str(given["kind"])
    for key in _NEEDED[chosen]:
        if key not in given:
            raise Fault(f"a receiver of kind {chosen} needs {key}", f"write {key}: ...")
    for key in given:
        if key not in (*_OF_ALL, *_NEEDED[chosen], *_MORE[chosen]):
            owners = [each for each in KINDS if key in (*_NEEDED[each], *_MORE[each])]
            raise Fault(f"{key} is for {' and '.join(owners)}, not for {chosen}", f"take {key} out")
    if ("username" in given) != ("password_file" in given):
        raise Fault("username and password_file belong together", "write both, or none")
    if given.get("tls") == "off" and "password_file" in given:
        raise Fault("without tls the password would be sent for all to read", "take out tls: off, or the password")
    if given.get("tls") == "off" and "ca_file" in given:
        raise Fault("ca_file says nothing without tls", "take one of them out")


def alert_settings(keys: Mapping[str, Given]) -> AlertSettings:
    """The settings of what the project file gives; its texts were checked when it was read."""
    every, pages = keys.get(f"{SECTION}.repeat"), keys.get(f"{SECTION}.runbooks_url")
    return AlertSettings(
        tuple(_receivers(keys)), repeat(every.text) if every else _REPEAT, runbooks(pages.text) if pages else ""
    )


def _receivers(keys: Mapping[str, Given]) -> Iterator[AlertReceiver]:
    found: dict[str, dict[str, str]] = {}
    for key, given in keys.items():
        if key.startswith(RECEIVERS):
            name, _, option = key.removeprefix(RECEIVERS).partition(".")
            found.setdefault(name, {})[option] = given.text.strip()
    for name, options in found.items():
        chosen, told = options.pop("kind"), options.pop("severities", "")
        over = switch(options.pop("resolved", "on"))
        yield AlertReceiver(name, chosen, severities(told) if told else _SENT, over, options)
