"""Of which cluster `backup expire` takes the stack's data to be."""

from types import SimpleNamespace

import pytest

from stackctl.errors import EngineFailed, NoEngine
from stackctl.operations.backups.expire import own_cluster

RECORDED = SimpleNamespace(state=SimpleNamespace(generations=SimpleNamespace(current=2)))


class Engine:
    """One whose server answers, or whose data is at its place; or neither, as in the scheduler's container."""

    def __init__(self, answer=None, data=None):
        self.answer, self.data = answer, data

    def running(self):
        return True

    def query(self, _sql):
        if self.answer is None:
            raise EngineFailed("no answer", hint="")
        return [{"system": self.answer}]

    def places(self):
        if self.data is None:
            raise NoEngine("not from here", hint="")
        return SimpleNamespace(there=lambda number: number == 2, system=lambda _number: self.data)


@pytest.mark.parametrize(
    ("engine", "own"), [(Engine(answer="7", data="8"), "7"), (Engine(data="7"), "7"), (Engine(), None)]
)
def test_its_own_cluster_is_that_of_the_server_or_else_of_its_files(engine, own):
    assert own_cluster(SimpleNamespace(recorded=RECORDED, engine=engine)) == own


def test_nobody_knows_it_of_a_stack_without_a_record():
    assert own_cluster(SimpleNamespace(recorded=SimpleNamespace(state=None), engine=Engine(answer="7"))) is None
