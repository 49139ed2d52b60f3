"""Room that is held back on the disk of the data, on both engines: made by `up`, freed by hand, made again."""

from __future__ import annotations

from pathlib import Path

from running_stack import Stack, docker
from stackctl.sizing.ballast import ballast_size

TEN_GIB = 10 * 2**30


def allocated(stack: Stack) -> int:
    """Bytes on the disk, as those who keep it there see them; 0 where it is not there."""
    if stack.engine == "docker":
        found = docker("volume", "inspect", "--format", "{{.Mountpoint}}", f"{stack.name}_ballast")
        if found.code != 0:
            return 0
        image = docker("inspect", "--format", "{{.Config.Image}}", stack.container("postgres")).out.strip()
        words = ("run", "--rm", "--network", "none", "--volume", f"{stack.name}_ballast:/b", "--entrypoint", "stat")
        return 512 * int(docker(*words, image, "--format", "%b", "/b/ballast").out)
    file = stack.home / "data" / "ballast"
    return file.stat().st_blocks * 512 if file.exists() else 0


def check(stack: Stack) -> str:
    (found,) = [each for each in stack.run("health", "--json").data["checks"] if each["id"] == "ballast"]
    status: str = found["status"]
    return status


def test_it_is_freed_by_hand_and_held_again_by_up(stack: Stack) -> None:
    held = stack.run("ballast", "status", "--json").data["held_bytes"]
    assert held >= ballast_size(TEN_GIB)
    assert allocated(stack) >= ballast_size(TEN_GIB)
    assert check(stack) == "ok"
    before = stack.identity()
    done = stack.run("ballast", "free", "--json")
    assert (done.code, done.data["freed_bytes"], done.data["held_bytes"]) == (0, held, 0), done.said
    assert (allocated(stack), check(stack)) == (0, "warn")
    again = stack.run("ballast", "free", "--json")
    assert (again.code, again.data["freed_bytes"]) == (0, 0), again.said
    assert stack.up().data["changed"] is False
    assert allocated(stack) >= ballast_size(TEN_GIB)
    assert (stack.identity(), check(stack)) == (before, "ok")


def test_a_backup_has_nothing_of_it(stack: Stack, place: Path) -> None:
    done = stack.run("backup", "--json")
    assert done.code == 0, done.said
    assert done.data["bytes"] < ballast_size(TEN_GIB)
    assert list(place.rglob("ballast*")) == []
