"""What is left to change where the server does not answer."""

import pytest

from stackctl.engine.base import ServiceState
from stackctl.engine.runner import Runner
from stackctl.errors import Unhealthy
from stackctl.operations import plan
from stackctl.operations.apply import begin, end
from stackctl.operations.result import Request
from stackctl.operations.stack import make_secrets, prepare
from stackctl.operations.state import make_private


@pytest.fixture
def silent(tmp_path, monkeypatch):
    """A prepared stack on an engine whose app is healthy and whose server says nothing."""
    request = Request(str(tmp_path), {"ram": "2G", "disk": "20G", "cpus": "2", "engine": "embedded"})
    prepared = prepare(request, Runner())
    make_private(prepared.opened.project.private)
    make_secrets(prepared)

    def query(sql, database="postgres"):
        raise Unhealthy("no answer", hint="")

    healthy = [ServiceState(name, "running", "healthy") for name in prepared.deployment.services if name != "postgres"]
    monkeypatch.setattr(prepared.engine, "running", lambda: True)
    monkeypatch.setattr(prepared.engine, "query", query)
    monkeypatch.setattr(prepared.engine, "services", lambda: healthy)
    return prepared


def test_only_what_is_not_well_is_restarted(silent):
    assert set(plan.find_changes(silent).services) == {"postgres"}


def test_after_a_change_that_was_not_finished_all_are(silent):
    private = silent.opened.project.private
    begin(private)
    assert set(plan.find_changes(silent).services) == set(silent.deployment.services) - {"migrate"}
    assert len(silent.deployment.services) > 2
    end(private)
    assert set(plan.find_changes(silent).services) == {"postgres"}
