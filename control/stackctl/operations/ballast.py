"""`stackctl ballast`: room on the disk of the data that is held back, and freed when the disk is full."""

from __future__ import annotations

from typing import Any

from stackctl.engine.base import Engine
from stackctl.engine.runner import Runner
from stackctl.errors import Problem, StackError
from stackctl.hardware.detect import free_disk
from stackctl.hardware.model import HardwareProfile
from stackctl.operations.engines import recorded_engine
from stackctl.operations.project import open_recorded
from stackctl.operations.result import Line, Request, Result
from stackctl.sizing.ballast import ballast_size, is_held
from stackctl.sizing.wal import archive_reserve
from stackctl.units import Bytes, human


def status_command(request: Request, runner: Runner) -> Result:
    """What is held back, and what is free beside it."""
    opened = open_recorded(request)
    engine = recorded_engine(opened, runner)
    held, free = engine.ballast().held(), free_disk(engine.data_place())
    said = f"{human(held)} are held back" if held else "nothing is held back; stackctl up does, once there is room"
    line = Line(f"{said}; {human(free)} are free on the disk of the data", "good" if held else "bad")
    return Result(_data(held, free), [line], opened.warnings)


def free_command(request: Request, runner: Runner) -> Result:
    """Give the room back. Nothing is written, as there may be no room for it, and nobody is waited for."""
    opened = open_recorded(request)
    engine = recorded_engine(opened, runner)
    held = engine.ballast().held()
    engine.ballast().free()
    free = free_disk(engine.data_place())
    said = f"{human(held)} were given back" if held else "nothing was held back"
    then = "make room for good, then stackctl up starts what stopped and holds it back again"
    line = Line(f"{said}; {human(free)} are free on the disk of the data: {then}", "good" if held else "bad")
    return Result({**_data(Bytes(0), free), "freed_bytes": held}, [line], opened.warnings)


def hold_ballast(engine: Engine, profile: HardwareProfile) -> tuple[Problem, ...]:
    """Make the ballast where it is not there or has another size; a problem where there is no room for it."""
    wanted, held = ballast_size(profile.disk), engine.ballast().held()
    if is_held(held, wanted):
        return ()
    free, least = Bytes(free_disk(engine.data_place()) + held), Bytes(wanted + archive_reserve(profile))
    if free < least:
        text = f"no room is held back for a full disk: {human(free)} are free, and {human(least)} would have to be"
        return (Problem("no_ballast", text, "free some space; the next stackctl up does it"),)
    try:
        engine.ballast().hold(wanted)
    except StackError as error:
        return (Problem("no_ballast", f"no room is held back for a full disk: {error}", error.hint),)
    return ()


def _data(held: Bytes, free: Bytes) -> dict[str, Any]:
    return {"held_bytes": held, "disk_free_bytes": free}
