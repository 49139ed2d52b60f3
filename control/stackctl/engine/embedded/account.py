"""Who the stack runs as: ourselves, or a system account when stackctl is root."""

from __future__ import annotations

import grp
import os
import pwd

from stackctl.engine.runner import Runner, SystemUser
from stackctl.errors import NoEngine

ACCOUNT = "stackctl"


def service_user(runner: Runner) -> SystemUser | None:
    """None for an ordinary user; as root the system account, made where it is missing.

    PostgreSQL refuses to run as root. Raises NoEngine where the account cannot be made.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        runner.run(_useradd())
        entry = pwd.getpwnam(ACCOUNT)
    if entry.pw_uid == 0:
        raise NoEngine(
            f"the account {ACCOUNT} is root",
            hint="remove it from /etc/passwd; PostgreSQL refuses to run as root",
        )
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def user_name(user: SystemUser | None) -> str:
    """Name of the system user that the services run as; PostgreSQL needs one for peer authentication."""
    if user is not None:
        return user.name
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise NoEngine(
            f"user id {os.geteuid()} has no name", hint="PostgreSQL needs one: add it to /etc/passwd"
        ) from error


def _useradd() -> list[str]:
    group = ["--gid", ACCOUNT] if _group_exists() else ["--user-group"]
    options = [
        "--system",
        *group,
        "--no-create-home",
        "--home-dir",
        "/var/lib/stackctl",
        "--shell",
        "/usr/sbin/nologin",
    ]
    # Not 999, the number of PostgreSQL's user in images: on a host with both engines they would be one account.
    numbers = ["--key", "SYS_UID_MAX=899", "--key", "SYS_GID_MAX=899"]
    return ["useradd", *numbers, *options, ACCOUNT]


def _group_exists() -> bool:
    try:
        grp.getgrnam(ACCOUNT)
    except KeyError:
        return False
    return True
