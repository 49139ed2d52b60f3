"""What the PostgreSQL of each image source can use: declared, as nothing may have to run before sizing."""

from __future__ import annotations

from typing import Final

from stackctl.hardware.model import Build

_BUILDS: Final = {
    # All tags in public.py are Debian's; Alpine's have a build of their own. From 18 on io_uring is compiled in too,
    # but the seccomp profile of Docker 25 and newer forbids it, and no service here runs without that profile.
    "public": Build(lz4=True, zstd=True, llvm=True),
    # A test compares this with the server in the image.
    "debian": Build(lz4=True, zstd=True, llvm=True),
}


def declared_build(source: str) -> Build:
    """The build of the server in the images of `source`."""
    return _BUILDS[source]
