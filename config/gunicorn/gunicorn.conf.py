"""How gunicorn runs the application; what differs between machines comes from the environment."""

import logging
import os
import sys
from pathlib import Path
from typing import Any


def _integer(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit():
        sys.exit(f"{name} must be a whole number, not {text!r}")
    return int(text)


bind = os.environ.get("BIND") or "127.0.0.1:4444"
workers = _integer("WEB_CONCURRENCY", 2)
# On gunicorn's own event loop worker, which drops fewer requests over reloads than others do.
worker_class = "app.worker.Worker"
asgi_loop = "asyncio"
asgi_lifespan = "on"

# A worker that does not turn its event loop for this long is replaced. Database work is done in
# threads and has its own timeout, so only a hung process gets here.
timeout = _integer("GUNICORN_TIMEOUT", 60)
# As long as the statement timeout: what the database still works on may finish.
graceful_timeout = _integer("GUNICORN_GRACEFUL_TIMEOUT", 30)
# A leaving worker keeps its pool until its idle clients are gone, while the new one fills its own:
# the shorter, the shorter the time with twice the connections.
keepalive = _integer("GUNICORN_KEEPALIVE", 5)
backlog = _integer("GUNICORN_BACKLOG", 2048)
# Off: memory stays level, and a new worker means a new pool.
max_requests = _integer("GUNICORN_MAX_REQUESTS", 0)
max_requests_jitter = max_requests // 10

# Heartbeats are file changes: on a disk they can block for seconds.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
# It would need a writable home directory.
control_socket_disable = True
# Only a proxy named here may say what the client's scheme was.
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS") or "127.0.0.1"

loglevel = os.environ.get("GUNICORN_LOGLEVEL") or "info"
# Off: the metrics count every request, and a line for each costs more than many of the requests.
accesslog = os.environ.get("GUNICORN_ACCESSLOG") or None


def on_starting(server: Any) -> None:
    """Stop with one clear line if the environment is wrong; begin with empty metrics."""
    # The application's directory is on the path only now.
    # Its memory must be there before the first worker is forked.
    import app.stamps  # noqa: F401, PLC0415
    from app.environment import SettingsError  # noqa: PLC0415
    from app.exposition import Exposition  # noqa: PLC0415
    from app.settings import from_environment  # noqa: PLC0415

    try:
        from_environment(os.environ)
        directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if not directory:
            raise SettingsError("PROMETHEUS_MULTIPROC_DIR is not set; name a directory for metric files")
    except SettingsError as error:
        server.log.error("%s", error)
        sys.exit(1)
    # Kept on the server: this file is read again at every reload, and its own names are made anew.
    server.exposition = Exposition(Path(directory))


def when_ready(server: Any) -> None:
    """Serve the metrics."""
    address, port = os.environ.get("METRICS_ADDRESS") or "127.0.0.1", _integer("METRICS_PORT", 4445)
    try:
        server.exposition.serve(address, port)
    except OSError as error:
        server.log.error("METRICS_PORT %s cannot be used on %s: %s", port, address, error.strerror)
        sys.exit(1)


def post_fork(server: Any, _worker: Any) -> None:
    """Let go of what is the master's; log like gunicorn does."""
    server.exposition.forget()
    logging.basicConfig(
        level=loglevel.upper(), format="[%(asctime)s] [%(process)d] [%(levelname)s] %(name)s: %(message)s"
    )


def child_exit(server: Any, worker: Any) -> None:
    """Keep a departed worker's counts."""
    # An error here would end the master, and all workers with it.
    try:
        server.exposition.absorb(worker.pid)
    except Exception:
        server.log.exception("metrics of worker %s are lost", worker.pid)
