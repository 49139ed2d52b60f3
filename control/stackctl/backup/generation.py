"""Which of its data directories a stack runs on: each restore makes one more, under a number of its own. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Generations:
    """The data of one engine. `up` makes number 0, each restore the next; none is given twice.

    `before` is what undoing goes back to, None where there was no data. `accepted` is false from a restore on until the
    user is content with it: so long nothing is archived. `unfinished` is what a run just makes, or just removes.
    `replaced` is what the stack ran on: it is kept until the stack was seen to run on the current data.
    """

    current: int = 0
    before: int | None = None
    accepted: bool = True
    unfinished: int | None = None
    last: int = 0
    replaced: int | None = None

    def begun(self, taken: Collection[int] = ()) -> Generations:
        """With a number for a candidate, beyond those of which anything is there: the record may be an old one."""
        number = max(self.last, self.current, *taken) + 1
        return replace(self, unfinished=number, last=number)

    def restored(self, *, before: bool) -> Generations:
        """The candidate as the stack's data; `before` says whether there is data to go back to."""
        assert self.unfinished is not None, "nothing was begun"  # noqa: S101
        return replace(
            self,
            current=self.unfinished,
            before=self.current if before else None,
            accepted=False,
            unfinished=None,
        )

    def undone(self) -> Generations:
        """Back on the data before the restore; the restored copy goes once the stack runs on them."""
        assert self.before is not None, "there is nothing to go back to"  # noqa: S101
        return replace(self, current=self.before, before=None, accepted=True, replaced=self.current)

    def content(self) -> Generations:
        """With the restored copy for good; what was before it goes once the stack runs and archives."""
        return replace(self, before=None, accepted=True, replaced=self.before)

    def settled(self) -> Generations:
        """The stack runs on its data: what it ran on before is to be removed."""
        return replace(self, unfinished=self.replaced, replaced=None)

    def finished(self) -> Generations:
        """Without anything to be removed."""
        return replace(self, unfinished=None)


def generations_of(found: object) -> dict[str, Generations]:
    """The generations by engine, of a record; what cannot be read is left out."""
    pairs = found.items() if isinstance(found, Mapping) else ()
    return {str(engine): _one(each) for engine, each in pairs if isinstance(each, Mapping)}


def _one(found: Mapping[str, Any]) -> Generations:
    known = {field.name for field in fields(Generations)}
    return Generations(**{name: value for name, value in found.items() if name in known})
