"""The commands that make the base image."""

from pathlib import Path

from stackctl.images import base
from stackctl.images.apt_sources import Mirrors


def test_debootstrap_uses_the_machines_mirror_or_its_own_default() -> None:
    tree = Path("/w/tree")
    assert base.debootstrap_argv(tree, "http://m.example/debian") == [
        "debootstrap",
        "--variant=minbase",
        "trixie",
        "/w/tree",
        "http://m.example/debian",
    ]
    assert base.debootstrap_argv(tree, None)[-1] == "/w/tree"


def test_the_archive_is_packed_from_inside_the_tree_and_imported_under_the_base_name() -> None:
    space = base.Workspace(Path("/w"))
    packed = base.tar_argv(space)
    assert packed[-5:] == ["-C", "/w/tree", "-cf", "/w/base.tar", "."]
    assert "--exclude=./var/cache/apt/archives/*.deb" in packed
    imported = base.import_argv(space.archive)
    assert imported[:2] == ["docker", "import"]
    assert imported[-2:] == ["/w/base.tar", "stackctl/base:trixie"]


def test_cleaning_up_never_crosses_a_mount() -> None:
    assert base.cleanup_argvs(base.Workspace(Path("/w"))) == [
        ["umount", "--quiet", "--lazy", "/w/tree/proc", "/w/tree/sys"],
        ["rm", "-rf", "--one-file-system", "--", "/w"],
    ]


def test_the_tree_gets_its_settings_and_the_security_source(tmp_path: Path) -> None:
    tree, assets = tmp_path / "tree", tmp_path / "assets"
    for folder in ("etc/dpkg/dpkg.cfg.d", "etc/apt/apt.conf.d", "etc/apt/sources.list.d"):
        (tree / folder).mkdir(parents=True)
    assets.mkdir()
    (assets / "dpkg-excludes").write_text("path-exclude=/usr/share/man/*\n")
    (assets / "apt-small").write_text('APT::Install-Recommends "false";\n')

    base.configure(tree, assets, Mirrors("http://m.example/debian", None))
    assert (tree / "etc/dpkg/dpkg.cfg.d/stackctl").read_text() == "path-exclude=/usr/share/man/*\n"
    assert (tree / "etc/apt/apt.conf.d/90stackctl").read_text() == 'APT::Install-Recommends "false";\n'
    assert list((tree / "etc/apt/sources.list.d").iterdir()) == []

    base.configure(tree, assets, Mirrors(None, "http://m.example/security"))
    security = tree / "etc/apt/sources.list.d/security.list"
    assert security.read_text() == "deb http://m.example/security trixie-security main\n"
