"""Apt's source formats, as Debian and its administrators write them."""

from pathlib import Path

import pytest

from stackctl.images.apt_sources import AptSource, Mirrors, mirrors, parse_deb822, parse_one_line, read

DEB822 = """\
Types: deb deb-src
# a comment between two fields
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 Suites: not-a-field
"""


def test_one_line_format() -> None:
    text = """\
# deb http://mirror.example/old bookworm main
deb http://mirror.example/debian bookworm main contrib # the archive
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://vendor.example/apt bookworm stable

  deb\thttp://mirror.example/debian-security\tbookworm-security\tmain
"""
    assert parse_one_line(text) == (
        AptSource("http://mirror.example/debian", "bookworm", ("main", "contrib")),
        AptSource("https://vendor.example/apt", "bookworm", ("stable",)),
        AptSource("http://mirror.example/debian-security", "bookworm-security", ("main",)),
    )


def test_deb822_format_expands_suites_and_skips_comments_inside_a_stanza() -> None:
    assert parse_deb822(DEB822) == (
        AptSource("http://mirror.example/debian", "bookworm", ("main", "contrib")),
        AptSource("http://mirror.example/debian", "bookworm-updates", ("main", "contrib")),
        AptSource("http://mirror.example/debian-security", "bookworm-security", ("main",)),
    )


@pytest.mark.parametrize(
    "text",
    [
        "Types: deb-src\nURIs: http://m.example/\nSuites: bookworm\nComponents: main\n",
        "Enabled: no\nTypes: deb\nURIs: http://m.example/\nSuites: bookworm\nComponents: main\n",
        "# Types: deb\n# URIs: http://m.example/\n",
        "",
    ],
)
def test_deb822_without_an_enabled_binary_source(text: str) -> None:
    assert parse_deb822(text) == ()


def test_reads_both_formats_of_a_machine(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example/debian bookworm main\n")
    (parts / "vendor.list").write_text("deb http://b.example/apt any main\n")
    (parts / "debian.sources").write_text(DEB822)
    (parts / "debian.sources.bak").write_text(DEB822)
    assert [source.uri for source in read(tmp_path)] == [
        "http://a.example/debian",
        "http://b.example/apt",
        "http://mirror.example/debian",
        "http://mirror.example/debian",
        "http://mirror.example/debian-security",
    ]


def test_a_machine_without_sources(tmp_path: Path) -> None:
    assert read(tmp_path) == ()


def test_mirrors_are_the_first_of_the_release_and_never_a_vendor() -> None:
    found = [
        AptSource("https://vendor.example/apt", "bookworm", ("stable",)),
        AptSource("https://nodes.example/apt", "nodistro", ("main",)),
        AptSource("cdrom:[Debian 12]/", "bookworm", ("main",)),
        AptSource("http://first.example/debian", "bookworm", ("main",)),
        AptSource("http://second.example/debian", "bookworm", ("main",)),
        AptSource("http://first.example/debian-security", "bookworm-security", ("main",)),
    ]
    expected = Mirrors("http://first.example/debian", "http://first.example/debian-security")
    assert mirrors(found, "bookworm") == expected
    assert mirrors(found, "trixie") == Mirrors(None, None)
