"""The options under which every container of the stack runs."""

from __future__ import annotations

LOCKED = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only")


def user(number: int, group: int) -> tuple[str, ...]:
    """Run as this user, without a capability and on a read-only root."""
    return ("--user", f"{number}:{group}", *LOCKED)


def tmpfs(path: str, owner: int, megabytes: int = 64) -> tuple[str, str]:
    """A small memory file system that belongs to the container's user."""
    return ("--tmpfs", f"{path}:size={megabytes}m,uid={owner},gid={owner},mode=0775")
