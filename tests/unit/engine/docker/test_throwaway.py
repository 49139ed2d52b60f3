"""How a container with a throwaway server ends: `docker stop` is content with one that it killed."""

import pytest

from stackctl.engine.docker.throwaway import DockerThrowaway
from stackctl.engine.runner import Completed
from stackctl.errors import EngineFailed


class Docker:
    """A client of an engine with one container, which is in this state once it was stopped."""

    def __init__(self, state, code=0):
        self.state, self.code, self.ran = state, code, []

    def run(self, argv, **_):
        self.ran.append(argv[1])
        known = argv[1] == "inspect"
        return Completed(tuple(argv), self.code if known else 0, self.state if known and not self.code else "", "gone")


def test_a_server_that_ended_by_itself_is_removed():
    docker = Docker("exited 0\n")
    DockerThrowaway("copy", docker).stop()
    assert docker.ran == ["stop", "inspect", "rm"]


@pytest.mark.parametrize(("state", "code"), [("exited 137\n", 0), ("exited 1\n", 0), ("running 0\n", 0), ("", 1)])
def test_a_server_that_was_killed_in_the_end_is_told_and_removed(state, code):
    docker = Docker(state, code)
    with pytest.raises(EngineFailed, match="did not end cleanly") as failed:
        DockerThrowaway("copy", docker).stop()
    assert (state.strip() or "gone") in str(failed.value)
    assert docker.ran[-1] == "rm"
