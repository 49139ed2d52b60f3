"""Where the files that are rendered or copied live: beside the package in a wheel, at the root of a checkout."""

from __future__ import annotations

from pathlib import Path

# The package itself: the scheduler's container gets a copy.
PACKAGE = Path(__file__).parent


def root() -> Path:
    """The folder that holds `stack/`, `config/` and `dashboards/`."""
    packed = PACKAGE / "_assets"
    return packed if packed.is_dir() else PACKAGE.parent.parent


def read(name: str) -> str:
    """The text of one asset, by its path below the root: `config/postgres/catalog-17.tsv`."""
    return (root() / name).read_text(encoding="utf-8")
