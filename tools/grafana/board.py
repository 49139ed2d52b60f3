"""A dashboard: its variables, its links to the others, and its panels in a grid of 24 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grafana.limits import Json
from grafana.panels import SOURCE, Line

COLUMNS = 24
TAG = "stackctl"


@dataclass(frozen=True)
class Section:
    """Lines of panels below a heading; without one they follow what is above."""

    title: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Board:
    """One file below dashboards/. `jobs` is a regular expression of the jobs whose metrics it shows."""

    name: str
    title: str
    description: str
    jobs: str
    sections: Sequence[Section]
    databases: bool = False
    begins: str = "now-1h"

    @property
    def uid(self) -> str:
        """What links and alerts know it by, and never changes."""
        return f"stackctl-{self.name}"

    def json(self) -> Json:
        """The dashboard as Grafana's file provisioning reads it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": 42,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "time": {"from": self.begins, "to": "now"},
            "refresh": "30s",
            "timezone": "browser",
            "templating": {"list": list(self._variables())},
            "annotations": {"list": []},
            "links": [_links()],
            "panels": list(self._panels()),
        }

    def _panels(self) -> Iterator[Json]:
        number = top = 0
        for section in self.sections:
            if section.title:
                number += 1
                place = {"h": 1, "w": COLUMNS, "x": 0, "y": top}
                yield {
                    "id": number,
                    "type": "row",
                    "title": section.title,
                    "collapsed": False,
                    "gridPos": place,
                    "panels": [],
                }
                top += 1
            for line in section.lines:
                widths = line.widths or [COLUMNS // len(line.panels)] * len(line.panels)
                left = 0
                for panel, width in zip(line.panels, widths, strict=True):
                    number += 1
                    place = {"h": line.height, "w": width, "x": left, "y": top}
                    yield {"id": number, **panel, "gridPos": place}
                    left += width
                top += line.height

    def _variables(self) -> Iterator[Json]:
        yield {
            "name": "datasource",
            "label": "Data source",
            "type": "datasource",
            "query": "prometheus",
            "current": {"selected": True, "text": "Prometheus", "value": "prometheus"},
            "includeAll": False,
            "multi": False,
            "options": [],
            "refresh": 1,
            "regex": "",
            "hide": 0,
            "skipUrlSync": False,
        }
        only = f'job=~"{self.jobs}"' if self.jobs else ""
        yield _choice("job", "Job", f"label_values(up{{{only}}}, job)", ".+")
        chosen = ", ".join(filter(None, ('job=~"$job"', only)))
        yield _choice("instance", "Instance", f"label_values(up{{{chosen}}}, instance)", ".+")
        if self.databases:
            # Without a value of its own, All is the list of what was found: the templates stay out.
            here = 'job=~"$job", instance=~"$instance", datname!~"template[01]"'
            yield _choice("database", "Database", f"label_values(pg_database_size_bytes{{{here}}}, datname)", None)


def _choice(name: str, label: str, query: str, everything: str | None) -> Json:
    chosen: Json = {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        # The form in which Grafana's own editor stores it; 1 stands for the values of a label.
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "includeAll": True,
        "multi": True,
        "options": [],
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "hide": 0,
        "skipUrlSync": False,
    }
    return chosen | ({"allValue": everything} if everything else {})


def _links() -> Json:
    # Variables are not carried over: a job of one dashboard is none of another, which would then be empty.
    return {
        "title": "Dashboards",
        "type": "dashboards",
        "icon": "external link",
        "tooltip": "",
        "tags": [TAG],
        "asDropdown": False,
        "targetBlank": False,
        "includeVars": False,
        "keepTime": True,
    }
