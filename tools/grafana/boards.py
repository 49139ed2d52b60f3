"""All dashboards, in the order in which they are linked, and their files."""

from __future__ import annotations

import json

from grafana.app import APP
from grafana.board import Board
from grafana.host import HOST
from grafana.overview import OVERVIEW
from grafana.pools import POOLS
from grafana.postgresql import POSTGRESQL
from grafana.queries import QUERIES
from grafana.tables import TABLES
from grafana.wal import WAL

BOARDS: tuple[Board, ...] = (OVERVIEW, POSTGRESQL, QUERIES, TABLES, WAL, POOLS, APP, HOST)


def files() -> dict[str, str]:
    """Name and text of each file below dashboards/."""
    return {f"{board.name}.json": json.dumps(board.json(), indent=2) + "\n" for board in BOARDS}
