"""Where it is written down what a repository holds, for the observer where it has no way to the repository itself."""

from __future__ import annotations

from pathlib import Path

# Below .stackctl of the project.
FOLDER = "noted"
# The same in the observer's container, which may only read it.
INSIDE = Path("/var/lib/stackctl/noted")
