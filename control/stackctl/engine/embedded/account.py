"""Who the stack runs as: ourselves, or a system account when stackctl is root."""

from __future__ import annotations

import grp
import os
import pwd

from stackctl.engine.runner import Runner, SystemUser
from stackctl.errors import NoEngine

ACCOUNT = "stackctl"
NOT_YET = -1


def service_user() -> SystemUser | None:
    """None for an ordinary user; as root the system account, whose numbers are NOT_YET before it was made."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        return SystemUser(ACCOUNT, NOT_YET, NOT_YET)
    if entry.pw_uid == 0:
        raise NoEngine(
            f"the account {ACCOUNT} is root", hint="remove it from /etc/passwd; PostgreSQL refuses to run as root"
        )
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def ensure_account(runner: Runner) -> SystemUser | None:
    """The service user, made where it is missing. Raises EngineFailed where it cannot be."""
    user = service_user()
    if user is not None and user.uid == NOT_YET:
        runner.run(_useradd())
        return service_user()
    return user


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
