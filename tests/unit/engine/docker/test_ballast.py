"""The ballast as a volume: what a daemon that does not answer changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from stackctl.engine.docker.ballast import DockerBallast
from stackctl.engine.docker.generations import DockerPlaces
from stackctl.engine.runner import Completed, Runner
from stackctl.errors import EngineFailed

SIZE = 64 * 2**20


class Daemon:
    """Docker with some volumes, which may be away."""

    def __init__(self, *volumes: str) -> None:
        self.volumes = set(volumes)
        self.away = False
        self.in_use = False

    def run(self, argv: Sequence[str], *, check: bool = True, **_: Any) -> Completed:
        code, out, said = self._answer(argv[1:])
        if check and code:
            raise EngineFailed(said, hint="")
        return Completed(tuple(argv), code, out, said)

    def _answer(self, words: Sequence[str]) -> tuple[int, str, str]:
        if self.away:
            return 1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
        name = words[-1].removeprefix("name=")
        match words[1]:
            case "ls":
                return 0, "".join(f"{each}\n" for each in sorted(self.volumes) if name in each or name[0] == "-"), ""
            case "rm" if self.in_use:
                return 1, "", "volume is in use"
            case "rm":
                self.volumes.remove(name)
                return 0, "", ""
        return (0, "", "") if name in self.volumes else (1, "", f"get {name}: no such volume")


def ballast(daemon: Daemon, folder: Path) -> DockerBallast:
    (folder / "mark").write_text(str(SIZE))
    places = DockerPlaces("shop", "image", "/mount", "/mount/data", "print", cast(Runner, daemon))
    return DockerBallast(places, folder / "mark")


def test_a_daemon_that_does_not_answer_is_no_missing_volume(tmp_path: Path) -> None:
    daemon = Daemon("shop_ballast", "shop_data")
    there = ballast(daemon, tmp_path)
    daemon.away = True
    with pytest.raises(EngineFailed, match="Cannot connect"):
        there.held()
    with pytest.raises(EngineFailed, match="Cannot connect"):
        there.free()
    daemon.away = False
    assert there.held() == SIZE
    there.free()
    assert (there.held(), daemon.volumes, (tmp_path / "mark").exists()) == (0, {"shop_data"}, False)
    there.free()


def test_one_that_stays_keeps_its_mark(tmp_path: Path) -> None:
    daemon = Daemon("shop_ballast")
    there = ballast(daemon, tmp_path)
    daemon.in_use = True
    with pytest.raises(EngineFailed, match="in use"):
        there.free()
    assert there.held() == SIZE


def test_the_volume_of_another_project_is_not_its_own(tmp_path: Path) -> None:
    assert ballast(Daemon("workshop_ballast", "shop_ballast_2"), tmp_path).held() == 0
