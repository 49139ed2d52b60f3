"""A backup is one folder, and so is what is made of it: tablespaces, which are folders elsewhere, are refused."""

from __future__ import annotations

from stackctl.engine.base import Engine
from stackctl.errors import BackupFailed, Unhealthy

# One in the data directory itself is a folder like any other.
_ELSEWHERE = """
SELECT spcname AS name, pg_tablespace_location(oid) AS place FROM pg_tablespace
WHERE pg_tablespace_location(oid) LIKE '/%' ORDER BY 1
"""


def refuse_tablespaces(engine: Engine, *, takes_dumps: bool) -> None:
    """Raise BackupFailed where the running server has any, or does not answer; a dump takes what is in them."""
    try:
        found = engine.query(_ELSEWHERE)
    except Unhealthy as error:
        raise BackupFailed(f"the server was not asked: {error}", hint="stackctl up; stackctl health") from error
    if found:
        named = ", ".join(f"{row['name']} in {row['place']}" for row in found)
        meanwhile = "; until then: stackctl backup --logical" if takes_dumps else ""
        raise BackupFailed(
            f"a backup does not take tablespaces, and the database has some: {named}",
            hint=f"move what is in them (ALTER TABLE ... SET TABLESPACE pg_default) and drop them{meanwhile}",
        )
