"""Look into restored data directories with the server's own programs."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from running_stack import Done, Stack, docker


def server_programs(stack: Stack) -> Path:
    """The folder of the programs of an embedded stack's server."""
    return Path(f"/proc/{stack.postmaster()}/exe").readlink().parent


def program(stack: Stack, *words: str, data: Path) -> Done:
    """A program of the server's version, as the owner of `data`, in a container where the server is in one."""
    owner = data.stat()
    if stack.engine == "docker":
        image = docker("inspect", "--format", "{{.Config.Image}}", stack.container("postgres")).out.strip()
        mount = f"type=bind,source={data},target={data}"
        user = f"{owner.st_uid}:{owner.st_gid}"
        start = ["run", "--rm", "--network", "none", "--user", user, "--mount", mount, "--entrypoint", words[0]]
        return docker(*start, image, *words[1:])
    folder = server_programs(stack)
    identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    argv = [str(folder / words[0]), *words[1:]]
    found = subprocess.run(argv, cwd="/", capture_output=True, text=True, timeout=60, check=False, **identity)
    return Done(found.returncode, found.stdout, found.stderr)


def rows(stack: Stack, data: Path, table: str = "tools", column: str = "name") -> set[str]:
    """One column of a table in a data directory, read by a server in single user mode."""
    sql = f"SELECT {column} FROM {table}"
    script = f"echo {shlex.quote(sql)} | postgres --single -j -D '{data}' -c config_file='{data}/postgresql.conf' app"
    if stack.engine == "embedded":
        folder = server_programs(stack)
        script = script.replace("postgres --single", f"'{folder}/postgres' --single")
    owner = data.stat()
    if stack.engine == "docker":
        done = program(stack, "sh", "-c", script, data=data)
    else:
        identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        found = subprocess.run(
            ["sh", "-c", script], cwd="/", capture_output=True, text=True, timeout=60, check=False, **identity
        )
        done = Done(found.returncode, found.stdout, found.stderr)
    assert done.code == 0, done.said
    return {line.split('"')[1] for line in done.out.splitlines() if f'{column} = "' in line}
