"""What the observer is told of the stack: what was rendered, to compare the running server with. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackctl import __version__
from stackctl.sizing.model import Sizing, Verdict

SERVICE = "observer"
FILE = "expected.json"
PORT = 9188
# The image has no program for HTTP but Python, which takes longer to start than the page to answer.
CHECK = (
    f"exec 3<>/dev/tcp/127.0.0.1/{PORT} && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3"
    ' && read -r _ code _ <&3 && test "$code" = 200'
)


def expected(sizing: Sizing) -> Mapping[str, Any]:
    """The parameters and roles as provisioned, the proof's verdict, and the limits that metrics are read against."""
    connections, memory = sizing.connections, sizing.memory
    return {
        "version": __version__,
        "postgres": sizing.profile.postgres,
        "wal": sizing.profile.wal.value,
        "parameters": {parameter.name: parameter.value for parameter in sizing.parameters},
        "roles": {role.name: dict(role.settings) for role in sizing.roles},
        "memory": {
            "limit": memory.limit,
            "worst_case": memory.worst_case,
            "passed": memory.verdict is not Verdict.FAIL,
        },
        "pool_limit": connections.workers * (connections.pool_size + connections.max_overflow),
    }
