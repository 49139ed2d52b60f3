"""Whether the data that a stack is to run on is there: a start where it is not would make an empty database."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.engine.base import Engine
from stackctl.engine.generation import DataPlaces
from stackctl.errors import EngineFailed, RestoreRefused, StackError


@dataclass(frozen=True)
class Present:
    """Whether the stack has data, and of which cluster: None where nobody can tell."""

    there: bool
    system: str | None = None


def present_data(engine: Engine, generation: int) -> Present:
    """What the stack has now. Data whose control file is damaged or missing is data all the same."""
    if engine.running():
        try:
            found = engine.query("SELECT system_identifier::text AS system FROM pg_control_system()")
            return Present(True, str(found[0]["system"]))
        except StackError:
            # A server that does not answer has its files all the same.
            pass
    places = engine.places()
    if not places.there(generation):
        return Present(False)
    try:
        return Present(True, places.system(generation))
    except EngineFailed:
        return Present(True)


def refuse_gone(places: DataPlaces, before: int) -> None:
    """Raise RestoreRefused where the data to go back to is gone."""
    if not places.there(before):
        raise RestoreRefused(
            f"data {before}, from before the restore, is not there any more",
            hint="put it back where it was; or stackctl restore --accept keeps the restored copy",
        )


def refuse_stray(places: DataPlaces, current: int) -> None:
    """Raise EngineFailed where the current data is not there, but other data is: state.json is lost or an old copy."""
    others = sorted(places.taken() - {current})
    if not others or places.there(current):
        return
    if there := [str(each) for each in others if places.there(each)]:
        raise EngineFailed(
            f"data {current}, which .stackctl/state.json names, is not there, but data {', '.join(there)} is",
            hint="put a newer copy of state.json back, or name the right number as data.ENGINE.current there",
        )
