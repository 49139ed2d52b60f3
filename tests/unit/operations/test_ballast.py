"""When `up` makes the ballast again, and when it leaves it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from profiles import sized
from stackctl.engine.base import Engine
from stackctl.operations import ballast
from stackctl.sizing.ballast import ballast_size

MIB, GIB = 2**20, 2**30
PROFILE = sized().profile


class Held:
    """A ballast of so many bytes on the disk."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.made: list[int] = []

    def held(self) -> int:
        return self.size

    def hold(self, size: int) -> None:
        self.made.append(size)


def holding(monkeypatch: pytest.MonkeyPatch, held: int, free: int) -> tuple[list[int], tuple[Any, ...]]:
    """What is made, and what is told."""
    there = Held(held)
    monkeypatch.setattr(ballast, "free_disk", lambda _place: free)
    engine = cast(Engine, SimpleNamespace(ballast=lambda: there, data_place=lambda: None))
    return there.made, ballast.hold_ballast(engine, PROFILE)


@pytest.mark.parametrize("more", [0, 4096, MIB])
def test_one_that_the_file_system_rounded_up_stays_and_no_room_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    assert holding(monkeypatch, ballast_size(PROFILE.disk) + more, free=0) == ([], ())


@pytest.mark.parametrize("more", [-4096, MIB + 4096])
def test_one_of_another_size_is_made_again(monkeypatch: pytest.MonkeyPatch, more: int) -> None:
    wanted = ballast_size(PROFILE.disk)
    assert holding(monkeypatch, wanted + more, free=1000 * GIB) == ([wanted], ())


def test_it_is_told_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    made, problems = holding(monkeypatch, 0, free=0)
    assert (made, [each.code for each in problems]) == ([], ["no_ballast"])
