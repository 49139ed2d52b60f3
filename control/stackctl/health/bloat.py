"""Bloat of tables and B-tree indexes, estimated from the planner's statistics, without reading or locking one. Pure.

The method is the well-known one of the queries by ioguix (pgsql-bloat-estimation): rows, by their average width, need
so many pages, and the rest is bloat. Added to it is what alignment costs between columns. It knows what the last VACUUM
or ANALYZE knew.
"""

from __future__ import annotations

MOST = 50
# A page has a header of 24 bytes, and for each row a pointer of 4. A row has a header of 23 bytes, with a bit for each
# column where one is null, and begins at a multiple of 8; so does its data. What is declared narrower ends there too.
_PAGE, _POINTER, _ROW, _ALIGNED = 24, 4, 23, 8
# A B-tree's page has 16 bytes at its end; its rows have headers of 8 bytes, and 4 more for nulls.
_SPECIAL, _INDEX_ROW, _INDEX_NULLS = 16, 8, 4
# Columns of a table; a partition that was never analyzed has none.
_WIDTHS = """
    SELECT starelid, staattnum, stanullfrac AS nulls, stawidth AS width
    FROM pg_catalog.pg_statistic WHERE NOT stainherit
"""
_SCHEMAS = "n.nspname !~ '^pg_(toast|temp)' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"


# Where a column begins: at a multiple of this, but for short values of a type of variable length.
_ALIGNMENT = (
    "CASE WHEN a.attlen < 0 THEN 1 ELSE CASE a.attalign WHEN 'd' THEN 8 WHEN 'i' THEN 4 WHEN 's' THEN 2 ELSE 1 END END"
)


def _padded(size: str) -> str:
    return f"(ceil(({size}) / {_ALIGNED}.0) * {_ALIGNED})"


def _fill(default: int) -> str:
    return f"coalesce(substring(array_to_string(c.reloptions, ' ') FROM 'fillfactor=([0-9]+)')::int, {default}) / 100.0"


# By the size at the last VACUUM or ANALYZE: to ask for the size of now would wait for whoever holds a lock.
TABLES = f"""
WITH block AS (SELECT current_setting('block_size')::bigint AS size),
widths AS ({_WIDTHS}),
largest AS (
    SELECT c.oid, n.nspname, c.relname, c.relpages, c.reltuples, c.relnatts, c.reloptions
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relpages > 0 AND {_SCHEMAS}
    ORDER BY c.relpages DESC, c.oid LIMIT {MOST}
),
columns AS (
    SELECT a.attrelid, a.attnum, a.attlen, {_ALIGNMENT} AS aligned,
           lag({_ALIGNMENT}, 1, {_ALIGNED}) OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS before
    FROM pg_attribute a JOIN largest c ON c.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped
),
measured AS (
    SELECT c.*, count(*) AS columns, count(w.staattnum) AS known,
           coalesce(sum((1 - w.nulls) * (w.width + greatest(a.aligned - a.before, 0) / 2.0)), 0) AS data,
           coalesce(max(w.nulls), 0) > 0 AS nullable, bool_or(a.attlen < 0) AS variable, {_fill(100)} AS fill
    FROM largest c JOIN columns a ON a.attrelid = c.oid
    LEFT JOIN widths w ON w.starelid = c.oid AND w.staattnum = a.attnum
    GROUP BY c.oid, c.nspname, c.relname, c.relpages, c.reltuples, c.relnatts, c.reloptions
),
rows AS (
    SELECT *, {_padded(f"{_ROW} + CASE WHEN nullable THEN (relnatts + 7) / 8 ELSE 0 END")} + {_POINTER}
              + CASE WHEN nullable OR variable THEN data + {(_ALIGNED - 1) / 2} ELSE {_padded("data")} END AS width
    FROM measured
)
SELECT nspname, relname, relpages * size AS bytes, CASE WHEN reltuples >= 0 THEN reltuples::bigint END AS tuples,
       CASE WHEN known = columns AND reltuples >= 0
            THEN greatest(relpages - ceil(reltuples / greatest(floor((size - {_PAGE}) * fill / width), 1)), 0) * size
       END::bigint AS bloat
FROM rows, block
"""  # noqa: S608 - numbers of ours

# Unlike a table's, a column of an index on an expression has statistics of its own. A list of equal keys is stored
# once, which no statistics tell: such an index looks less bloated than it is, and never more.
INDEXES = f"""
WITH block AS (SELECT current_setting('block_size')::bigint AS size),
widths AS ({_WIDTHS}),
largest AS (
    SELECT c.oid, n.nspname, t.relname, c.relname AS index, c.relpages, c.reltuples, c.reloptions,
           i.indrelid, i.indkey::int2[] AS keys
    FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_class t ON t.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am m ON m.oid = c.relam
    WHERE c.relkind = 'i' AND m.amname = 'btree' AND c.relpages > 1 AND {_SCHEMAS}
    ORDER BY c.relpages DESC, c.oid LIMIT {MOST}
),
measured AS (
    SELECT c.*, count(*) AS columns, count(w.width) AS known,
           coalesce(sum((1 - w.nulls) * w.width), 0) AS data, coalesce(max(w.nulls), 0) > 0 AS nullable,
           {_fill(90)} AS fill
    FROM largest c JOIN pg_attribute a ON a.attrelid = c.oid
    LEFT JOIN LATERAL (
        SELECT * FROM widths w
        WHERE w.starelid = CASE WHEN keys[a.attnum - 1] = 0 THEN c.oid ELSE c.indrelid END
          AND w.staattnum = CASE WHEN keys[a.attnum - 1] = 0 THEN a.attnum ELSE keys[a.attnum - 1] END
    ) w ON true
    GROUP BY c.oid, c.nspname, c.relname, c.index, c.relpages, c.reltuples, c.reloptions, c.indrelid, c.keys
),
rows AS (
    SELECT *, {_padded(f"{_INDEX_ROW} + CASE WHEN nullable THEN {_INDEX_NULLS} ELSE 0 END")} + {_padded("data")}
              + {_POINTER} AS width
    FROM measured
)
SELECT nspname, relname, index, relpages * size AS bytes,
       CASE WHEN known = columns AND reltuples >= 0
            THEN greatest(relpages - 1 - ceil(reltuples / greatest(floor((size - {_PAGE + _SPECIAL}) * fill / width),
                                                                   1)), 0) * size
       END::bigint AS bloat
FROM rows, block
"""  # noqa: S608 - numbers of ours
