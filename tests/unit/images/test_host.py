"""What a machine lends to a build, read from a file system made up for the test."""

from pathlib import Path

import pytest

from stackctl.images.apt_sources import Mirrors
from stackctl.images.host import debian_codename, find_mirrors, find_secrets
from stackctl.images.model import Secrets


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc/apt").mkdir(parents=True)
    (tmp_path / "etc/apt/sources.list").write_text("deb http://m.example/debian bookworm main\n")
    return tmp_path


def write_release(root: Path, identity: str) -> None:
    text = f'PRETTY_NAME="Some Linux"\nID={identity}\nVERSION_CODENAME=bookworm\n'
    (root / "etc/os-release").write_text(text)


def test_mirrors_come_from_a_debian_machine_only(root: Path) -> None:
    assert find_mirrors(root) == Mirrors()
    write_release(root, "debian")
    assert debian_codename(root) == "bookworm"
    assert find_mirrors(root) == Mirrors("http://m.example/debian", None)
    write_release(root, "ubuntu")
    assert find_mirrors(root) == Mirrors()


def test_nothing_to_lend(tmp_path: Path) -> None:
    assert find_secrets(tmp_path, tmp_path, {}) == Secrets(None, None)


def test_the_environment_beats_the_systems_files(tmp_path: Path) -> None:
    bundle, configuration = tmp_path / "own.crt", tmp_path / "own.conf"
    (tmp_path / "etc/ssl/certs").mkdir(parents=True)
    system = tmp_path / "etc/ssl/certs/ca-certificates.crt"
    for path in (bundle, configuration, system, tmp_path / "etc/pip.conf"):
        path.write_text("")
    assert find_secrets(tmp_path, tmp_path, {}) == Secrets(system, tmp_path / "etc/pip.conf")
    named = {"PIP_CERT": str(bundle), "PIP_CONFIG_FILE": str(configuration)}
    assert find_secrets(tmp_path, tmp_path, named) == Secrets(bundle, configuration)


def test_a_bundle_that_is_named_and_missing_is_passed_over(tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    other.write_text("")
    environment = {"PIP_CERT": str(tmp_path / "gone.crt"), "SSL_CERT_FILE": str(other)}
    assert find_secrets(tmp_path, tmp_path, environment) == Secrets(other, None)
