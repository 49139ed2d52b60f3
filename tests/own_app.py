"""The app of docs/how-to/run-your-own-app.md, word by word: as an image, and in a virtual environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from running_stack import Stack, docker
from stackctl.engine.docker import images
from stackctl.engine.runner import Runner
from stackctl.images import debian, host

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "run-your-own-app.md"
_FILE = re.compile(r"^`([\w.]+)`(?:, for both engines)?:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LENT = (
    "RUN --mount=type=secret,id=ca,required=false --mount=type=secret,id=pipconf,required=false "
    "if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; "
    "if [ -s /run/secrets/pipconf ]; then export PIP_CONFIG_FILE=/run/secrets/pipconf; fi; "
)


def page_files() -> dict[str, str]:
    """The files that the page tells its reader to make, by name."""
    return dict(_FILE.findall(PAGE.read_text(encoding="utf-8")))


def own_stack(engine: str) -> Stack:
    """A project with the page's app, not up yet; its folder can be entered by the services' account."""
    folder = Path(tempfile.mkdtemp(prefix="own-app-", dir="/var/tmp"))
    folder.chmod(0o755)
    files = page_files()
    for name in ("shop.py", "requirements.txt"):
        (folder / name).write_text(files[name])
        (folder / name).chmod(0o644)
    stack = Stack(folder, engine)
    if engine == "docker":
        _build(folder, files["Dockerfile"], image_name(stack))
    else:
        _install(folder)
    write(stack)
    return stack


def write(stack: Stack, change: Callable[[dict[str, Any]], Any] = lambda _section: None, **sections: Any) -> None:
    """Write stackctl.yaml with the page's section `app` on a free port; `change` may change it before."""
    section: dict[str, Any] = yaml.safe_load(page_files()["stackctl.yaml"])["app"]
    section["image"] = image_name(stack)
    if stack.engine == "embedded":
        # Without a container it is ports.app, which is given.
        del section["port"]
    change(section)
    stack.write(app=section, **sections)


def image_name(stack: Stack) -> str:
    return f"stackctl-test/shop:{stack.folder.name[-8:].lower().replace('_', 'x')}"


def remove(stack: Stack) -> None:
    stack.remove()
    if stack.engine == "docker":
        docker("rmi", image_name(stack))
    shutil.rmtree(stack.folder)


def _build(folder: Path, dockerfile: str, name: str) -> None:
    """The page's image on the base that can be built without a registry, behind whatever proxy this host is."""
    supply = images.supply("debian", 17, ("app",))
    images.ensure(supply, Runner(), lambda _text: None)
    text = dockerfile.replace("FROM python:3.13-slim-trixie", f"FROM {supply.references()['app']}\nUSER root")
    text = text.replace("RUN pip", f"{_LENT}pip")
    assert text.count("USER root") == text.count(_LENT) == 1, "the page's Dockerfile is another one"
    (folder / "Dockerfile").write_text(text)
    lent = debian.secret_arguments(host.find_secrets(Path("/"), Path.home(), os.environ))
    options = [*lent, *debian.proxy_arguments(os.environ)]
    done = docker("buildx", "build", "--load", "--tag", name, *options, str(folder), seconds=600)
    assert done.code == 0, done.said[-3000:]


def _install(folder: Path) -> None:
    """The page's virtual environment; our pip fills it, as a system's Python need not have one."""
    python = "/usr/bin/python3" if os.geteuid() == 0 else sys.executable
    environment = folder / ".venv"
    subprocess.run([python, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=120)
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install", "-q"]
    requirements = ["-r", str(folder / "requirements.txt")]
    done = subprocess.run([*pip, *requirements], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
