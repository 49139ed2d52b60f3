"""How often SQLAlchemy finds a statement's SQL ready made."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import CacheStats

from app import metrics

# In statements; SQLAlchemy lets it grow by half before it drops the oldest. The application has about
# fifty. What is built anew for each request, such as an IN list that is not a parameter, would show as
# a size that reaches this and as misses that do not end.
SIZE = 200


def watch(engine: Engine) -> None:
    """Count an engine's hits and misses, and publish how many statements it keeps."""
    hits, misses = (metrics.COMPILED_CACHE.labels(result) for result in ("hit", "miss"))

    # Once for each statement, in however many parts it is sent.
    def count(_connection: Any, _statement: Any, _many: Any, _one: Any, _options: Any, result: Any) -> None:
        if result.context.cache_hit is CacheStats.CACHE_HIT:
            hits.inc()
        elif result.context.cache_hit is CacheStats.CACHE_MISS:
            misses.inc()
            # There is no public way to ask.
            metrics.COMPILED_CACHE_SIZE.set(len(engine._compiled_cache or ()))

    event.listen(engine, "after_execute", count)
