"""Write dashboards/*.json anew."""

from __future__ import annotations

from pathlib import Path

from grafana.boards import files

FOLDER = Path(__file__).parents[2] / "dashboards"


def main() -> None:
    """Write each dashboard, and remove what is none."""
    written = files()
    for name, text in written.items():
        (FOLDER / name).write_text(text)
    for file in FOLDER.glob("*.json"):
        if file.name not in written:
            file.unlink()


if __name__ == "__main__":
    main()
