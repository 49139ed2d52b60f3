"""What is built, in which order, and what happens when a command fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stackctl.errors import EngineFailed, ImageUnavailable
from stackctl.images import base, debian
from stackctl.images.apt_sources import Mirrors
from stackctl.images.model import Image, Recipe, Secrets

RECIPE = Recipe(Path("/s/app/Dockerfile"), Path("/project/app"), "stackctl/base:trixie")


@dataclass(frozen=True)
class Done:
    """A finished command."""

    returncode: int
    stdout: str = ""
    stderr: str = ""


@dataclass
class FakeRunner:
    """Knows which images exist, and fails the commands whose first word it is told."""

    existing: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    ran: list[list[str]] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        input: str | None = None,
        timeout: float | None = None,
        check: bool = True,
        quiet: bool = False,
    ) -> Done:
        assert timeout is not None, f"{argv} may run for ever"
        self.ran.append(list(argv))
        if argv[:3] == ["docker", "image", "inspect"]:
            return Done(0 if argv[-1] in self.existing else 1)
        if argv[0] in self.broken:
            if check:
                raise EngineFailed(f"{argv[0]} failed", hint="")
            return Done(1)
        return Done(0)

    def programs(self) -> list[str]:
        """The first two words of each command but the look-ups."""
        return [" ".join(a[:2]) for a in self.ran if a[:2] != ["docker", "image"]]


def ignore(_: str) -> None:
    """Progress that nobody reads."""


def test_a_build_names_its_base_and_borrows_secrets_and_proxies() -> None:
    options = debian.secret_arguments(Secrets(Path("/etc/ca.crt"), Path("/etc/pip.conf")))
    options += debian.proxy_arguments({"http_proxy": "http://p.example:1", "HTTPS_PROXY": "", "HOME": "/"})
    plan = debian.build_plan([Image("app", "stackctl/app:0123456789ab", "debian", RECIPE)], options)
    assert plan[0].reference == "stackctl/app:0123456789ab"
    assert " ".join(plan[0].argv) == (
        "docker buildx build --load --progress=plain --tag stackctl/app:0123456789ab --file /s/app/Dockerfile"
        " --build-arg BASE=stackctl/base:trixie --secret id=ca,src=/etc/ca.crt"
        " --secret id=pipconf,src=/etc/pip.conf --build-arg http_proxy /project/app"
    )


def test_nothing_is_lent_that_the_host_does_not_have() -> None:
    assert debian.secret_arguments(Secrets()) == []
    assert debian.proxy_arguments({}) == []


def test_public_images_need_no_build() -> None:
    assert debian.build_plan([Image("grafana", "grafana/grafana:13.2.0", "public")]) == []


def test_only_missing_images_are_built() -> None:
    runner = FakeRunner(existing=frozenset({"a:1"}))
    steps = [
        debian.BuildStep("a:1", ("docker", "buildx", "a")),
        debian.BuildStep("b:1", ("docker", "buildx", "b")),
    ]
    assert debian.ensure_built(runner, steps, ignore) == ("b:1",)
    assert ["docker", "buildx", "a"] not in runner.ran
    assert ["docker", "buildx", "b"] in runner.ran


def test_a_failed_build_is_an_unavailable_image() -> None:
    runner = FakeRunner(broken=frozenset({"docker"}))
    with pytest.raises(ImageUnavailable, match=r"b:1 cannot be built: docker failed"):
        debian.ensure_built(runner, [debian.BuildStep("b:1", ("docker", "buildx"))], ignore)


def test_an_existing_base_is_left_alone(tmp_path: Path) -> None:
    runner = FakeRunner(existing=frozenset({"stackctl/base:trixie"}))
    assert debian.ensure_base(runner, tmp_path, Mirrors(), ignore) is False
    assert runner.programs() == []


def test_the_base_is_made_and_its_workspace_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "configure", lambda *_: None)
    runner = FakeRunner()
    assert debian.ensure_base(runner, tmp_path, Mirrors(), ignore) is True
    assert [words.split()[0] for words in runner.programs()] == [
        "debootstrap",
        "tar",
        "docker",
        "umount",
        "rm",
    ]
    Path(runner.ran[-1][-1]).rmdir()


def test_a_failed_debootstrap_is_explained_and_cleaned_up(tmp_path: Path) -> None:
    runner = FakeRunner(broken=frozenset({"debootstrap"}))
    with pytest.raises(ImageUnavailable, match="debootstrap failed") as caught:
        debian.ensure_base(runner, tmp_path, Mirrors(), ignore)
    assert "--images public" in caught.value.hint
    assert [words.split()[0] for words in runner.programs()] == ["debootstrap", "umount", "rm"]
    Path(runner.ran[-1][-1]).rmdir()
