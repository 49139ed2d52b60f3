"""A file that holds room back on the disk of the data, on every engine: PostgreSQL cannot be started on a full one."""

from __future__ import annotations

from typing import Protocol

from stackctl.units import Bytes

NAME = "ballast"
DRAFT = "ballast.new"
# With the path and the size in bytes. Allocated, not sparse, under its name only when it is whole. Where the file
# system cannot allocate, it is written, with bytes that none makes smaller; never because the disk is full.
# `fallocate --posix` ends well although nothing fits.
SCRIPT = """set -e
umask 077
trap 'rm -f "$1.new"' EXIT
trap 'exit 1' HUP INT TERM
rm -f "$1" "$1.new"
if ! said=$(LC_ALL=C fallocate --length "$2" "$1.new" 2>&1); then
    echo "$said" >&2
    case $said in *"ot supported"* | *"not implemented"* | *"not found"*) ;; *) exit 1 ;; esac
    head -c "$2" /dev/urandom > "$1.new"
fi
test "$(($(stat --format %b "$1.new") * 512))" -ge "$2"
sync "$1.new"
mv "$1.new" "$1"
"""


class Ballast(Protocol):
    """Never inside a data directory, where every backup would copy it."""

    def held(self) -> Bytes:
        """What it holds back; 0 where it was freed, or never made."""

    def hold(self, size: Bytes) -> None:
        """Make it with `size`, in the place of one of another size. Raises EngineFailed where there is no room."""

    def free(self) -> None:
        """Give its room back; needs none itself."""
