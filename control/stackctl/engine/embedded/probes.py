"""Health of embedded services: what a container's health check would ask."""

from __future__ import annotations

import http.client

from stackctl.render.model import Place
from stackctl.units import Bytes

_PATHS = {"exporter": "/", "prometheus": "/-/ready", "alertmanager": "/-/ready"}


def answers(place: Place, service: str, timeout: float = 2.0) -> bool:
    """Whether the service's health page says yes within `timeout` seconds. Only ever asks this machine."""
    path, limit = place.app_health if service == "app" else (_PATHS[service], 300)
    address = place.addresses[service]
    connection = http.client.HTTPConnection(address.host, address.port, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < limit
    except (http.client.HTTPException, OSError):
        return False
    finally:
        connection.close()


def resident(pid: int) -> Bytes | None:
    """What the process and its children hold of the memory; None where it ended."""
    from stackctl.engine.embedded.processes import family_memory

    return family_memory(pid)
