"""Where it is written down what a repository holds, for the observer where it has no way to the repository itself."""

from __future__ import annotations

from pathlib import Path

# Below the folder in which runs of pgBackRest work.
FOLDER = "noted"
# The same in the observer's container, which may only read it.
INSIDE = Path("/var/lib/stackctl/noted")
