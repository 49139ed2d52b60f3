"""Health of embedded services: what a container's health check would ask."""

from __future__ import annotations

import http.client

from stackctl.render.model import Address, Place
from stackctl.units import Bytes

PATHS = {"exporter": "/", "observer": "/healthz", "prometheus": "/-/ready", "alertmanager": "/-/ready"}
# Below these is a good status; the exporter answers Prometheus alone, and asks everybody else who they are.
_LIMITS = {"exporter": 402}


def well(place: Place, service: str) -> bool:
    """Whether the service's health page says yes."""
    path, limit = place.app_health if service == "app" else (PATHS[service], _LIMITS.get(service, 300))
    return answers(place.addresses[service], path, limit)


def answers(address: Address, path: str, limit: int = 300, timeout: float = 2.0) -> bool:
    """Whether a page answers with a status below `limit` within `timeout` seconds. Only ever asks this machine."""
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
