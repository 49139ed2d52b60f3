"""The OpenAPI document and the application agree, whatever a client sends."""

from __future__ import annotations

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from running_app import Database, Serve

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# Few and the same every time: this is a look at every operation, not a search for days.
FEW = hypothesis.settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: f"{mode.value} requests")
def test_every_operation_answers_as_documented(database: Database, serve: Serve, mode: GenerationMode) -> None:
    served = serve(database.environ())
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    # Rows that a request can meet.
    for path, row in {
        "/tools": {"name": "tool"},
        "/teams": {"name": "team"},
        "/resources": {"name": "resource", "tool_id": 1, "uri": "https://example.org/"},
        "/teams/1/members": {"email": "somebody@example.org"},
    }.items():
        assert served.client.post(path, json=row).status_code == 201
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 20
    for operation in operations:
        # What takes nothing can be given nothing wrong.
        if mode is GenerationMode.NEGATIVE and operation.path in {"/healthz", "/readyz"}:
            continue

        @FEW
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def answers_as_documented(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS)

        answers_as_documented()
    assert "Traceback" not in served.log
