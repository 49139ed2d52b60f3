"""What this machine lends to builds: its package mirrors, its authorities, its pip configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stackctl.images.apt_sources import Mirrors, mirrors, read
from stackctl.images.model import Secrets

# pip's own setting first: it is the one a user sets for exactly this purpose.
_BUNDLES: Final = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
_SYSTEM_BUNDLE: Final = "etc/ssl/certs/ca-certificates.crt"


def debian_codename(root: Path) -> str | None:
    """Debian's code name from etc/os-release below `root`; None on any other system."""
    path = root / "etc/os-release"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    pairs = (line.partition("=") for line in text.splitlines())
    fields = {key: value.strip().strip("\"'") for key, _, value in pairs}
    return fields.get("VERSION_CODENAME") if fields.get("ID") == "debian" else None


def find_mirrors(root: Path) -> Mirrors:
    """The mirrors of a Debian machine whose file system starts at `root`; empty on any other system."""
    name = debian_codename(root)
    return Mirrors() if name is None else mirrors(read(root / "etc/apt"), name)


def find_secrets(root: Path, home: Path, environment: Mapping[str, str]) -> Secrets:
    """The CA bundle and the pip configuration that a build may borrow."""
    return Secrets(_bundle(root, environment), _pip_configuration(root, home, environment))


def _bundle(root: Path, environment: Mapping[str, str]) -> Path | None:
    named = [Path(environment[name]) for name in _BUNDLES if environment.get(name)]
    return _first_file([*named, root / _SYSTEM_BUNDLE])


def _pip_configuration(root: Path, home: Path, environment: Mapping[str, str]) -> Path | None:
    named = [Path(environment["PIP_CONFIG_FILE"])] if environment.get("PIP_CONFIG_FILE") else []
    return _first_file([*named, home / ".config/pip/pip.conf", home / ".pip/pip.conf", root / "etc/pip.conf"])


def _first_file(candidates: list[Path]) -> Path | None:
    return next((path for path in candidates if path.is_file()), None)
