"""What Docker Engine says of containers and volumes. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stackctl.engine.base import ServiceState
from stackctl.units import Bytes

_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"
FINGERPRINT = "stackctl.secrets"


def engine_version() -> tuple[int, ...] | None:
    """Version of the engine that answers, None where none does."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=10)
        text = client.version()["Version"]
    except DockerException:
        return None
    return tuple(int(part) for part in text.split("+")[0].split("-")[0].split(".") if part.isdigit())


def engine_problem() -> str:
    """Why no engine can be used, in words for a sentence; empty where one answers."""
    import docker
    from docker.errors import DockerException

    try:
        docker.from_env(timeout=10).ping()
    except DockerException as error:
        if "PermissionError" in repr(error) or "Permission denied" in str(error):
            return "permission denied on its socket; add this user to the group docker"
        return "does not answer"
    return ""


def data_root() -> Path:
    """The folder in which the engine keeps volumes."""
    import docker

    return Path(docker.from_env().info()["DockerRootDir"])


def service_states(project: str, ports: Mapping[str, int]) -> tuple[ServiceState, ...]:
    """The project's long-running services, by name; `ports` are those that are published for them."""
    found = [_state(container, ports) for container in _containers(project) if not _one_off(container)]
    return tuple(sorted(found, key=lambda state: state.name))


def outdated(project: str, reference: str) -> tuple[str, ...]:
    """Services that were made from an image that `reference` no longer stands for."""
    import docker
    from docker.errors import ImageNotFound

    try:
        current = docker.from_env().images.get(reference).id
    except ImageNotFound:
        return ()
    mine = [each for each in _containers(project) if each.attrs["Config"]["Image"] == reference]
    return tuple(each.labels[_SERVICE] for each in mine if not _one_off(each) and each.attrs["Image"] != current)


def any_running(project: str) -> bool:
    """Whether any container of the project runs."""
    return any(container.status in ("running", "restarting") for container in _containers(project))


def foreign_volume(project: str, fingerprint: str) -> str | None:
    """Name of a volume of the project that was made under other secrets, None where all is well."""
    import docker

    for volume in docker.from_env().volumes.list(filters={"label": f"{_PROJECT}={project}"}):
        label = (volume.attrs.get("Labels") or {}).get(FINGERPRINT, fingerprint)
        if label != fingerprint:
            return str(volume.name)
    return None


def present(reference: str) -> bool:
    """Whether the engine has the image."""
    import docker
    from docker.errors import ImageNotFound

    try:
        docker.from_env().images.get(reference)
    except ImageNotFound:
        return False
    return True


def _containers(project: str) -> Iterator[Any]:
    import docker

    mine = f"{_PROJECT}={project}"
    yield from docker.from_env().containers.list(all=True, filters={"label": mine}, ignore_removed=True)


def _one_off(container: Any) -> bool:
    return bool(container.attrs["HostConfig"]["RestartPolicy"]["Name"] in ("no", ""))


def _state(container: Any, wanted: Mapping[str, int]) -> ServiceState:
    state = container.attrs["State"]
    running = state["Status"] == "running"
    health = state.get("Health", {}).get("Status", "none")
    name = container.labels[_SERVICE]
    ports = [each["HostPort"] for binds in container.ports.values() if binds for each in binds]
    # The app publishes its metrics too.
    ports.sort(key=lambda port: port != str(wanted.get(name)))
    image = container.attrs["Config"]["Image"].rsplit("/", 1)[-1]
    return ServiceState(
        name=name,
        state=state["Status"],
        health=health if running else "unhealthy",
        version=image.partition(":")[2].partition("@")[0],
        address=f"127.0.0.1:{ports[0]}" if ports else "",
        memory=_memory(container) if running else None,
        cpus=_cpus(container.attrs["HostConfig"]),
        started_at=f"{state['StartedAt'][:19]}Z" if running else None,
    )


def _cpus(host: Mapping[str, Any]) -> float | None:
    """The limit, given as CPUs or as a quota of each period; None where there is none."""
    if host["NanoCpus"]:
        return float(host["NanoCpus"] / 1e9)
    return float(host["CpuQuota"] / host["CpuPeriod"]) if host.get("CpuQuota") and host.get("CpuPeriod") else None


def _memory(container: Any) -> Bytes | None:
    stats = container.stats(stream=False, one_shot=True)
    used = stats.get("memory_stats", {})
    if "usage" not in used:
        return None
    cache = used.get("stats", {}).get("total_inactive_file", used.get("stats", {}).get("inactive_file", 0))
    return Bytes(used["usage"] - cache)
