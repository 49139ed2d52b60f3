"""Health of embedded services: what a container's health check would ask."""

from __future__ import annotations

import urllib.error
import urllib.request

from stackctl.render.model import Place

_PATHS = {"app": "/readyz", "exporter": "/", "prometheus": "/-/ready", "alertmanager": "/-/ready"}


def answers(place: Place, service: str, timeout: float = 2.0) -> bool:
    """Whether the service's health page says yes within `timeout` seconds. Only ever asks this machine."""
    url = f"http://{place.address(service)}{_PATHS[service]}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
