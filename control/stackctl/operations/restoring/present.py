"""Whether the data that a stack is to run on is there: a start where it is not would make an empty database."""

from __future__ import annotations

from stackctl.engine.generation import DataPlaces
from stackctl.errors import RestoreRefused


def refuse_gone(places: DataPlaces, before: int) -> None:
    """Raise RestoreRefused where the data to go back to is gone."""
    if not places.there(before):
        raise RestoreRefused(
            f"data {before}, from before the restore, is not there any more",
            hint="put it back where it was; or stackctl restore --accept keeps the restored copy",
        )
