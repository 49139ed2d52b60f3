"""Write which series with which labels the exporters really have: what rules and dashboards are checked against.

    metric_inventory.py postgres EXPORTER BINDIR   run postgres_exporter on a throwaway cluster with some of all
    metric_inventory.py twenty                     postgres_exporter 0.20 from 0.19's, by what its source changed
    metric_inventory.py program NAME PROGRAM ...   run Prometheus or Alertmanager, and ask it
    metric_inventory.py scrape NAME URL            ask a program that runs
    metric_inventory.py app                        what the app declares

Each writes a file into tests/alerts/inventory for a version: series, type, labels as Prometheus stores them.
"""

# ruff: noqa: T201, S310
from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.metrics import MetricWrapperBase

ROOT = Path(__file__).resolve().parents[1]
INVENTORY = ROOT / "tests" / "alerts" / "inventory"
Series = dict[str, tuple[str, set[str]]]
# PostgreSQL refuses to run as root.
NOBODY: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
# What the stack gives the exporter, see render/stack.py; the checkpointer's view exists from PostgreSQL 17 on.
COLLECTORS = (
    "long_running_transactions",
    "postmaster",
    "database_wraparound",
    "stat_statements",
    "stat_activity_autovacuum",
)
SETTINGS = "listen_addresses= fsync=off archive_mode=on archive_command=true autovacuum_naptime=1s"
KEPT = "max_slot_wal_keep_size=1GB"
# A slot with a receiver, a table that was vacuumed and one that is being: each collector has something to tell.
CONTENT = """
CREATE TABLE thing (id serial PRIMARY KEY, word text);
INSERT INTO thing (word) SELECT 'x' FROM generate_series(1, 1000);
UPDATE thing SET word = 'y';
VACUUM ANALYZE thing;
CREATE TABLE slow WITH (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)
    AS SELECT repeat('x', 500) AS word FROM generate_series(1, 20000);
DELETE FROM slow;
SELECT pg_create_physical_replication_slot('kept', true);
SELECT pg_switch_wal();
"""
# Prometheus makes these itself for each target, and for its alerts.
SYNTHETIC = {
    "up": set[str](),
    "scrape_duration_seconds": set[str](),
    "scrape_samples_scraped": set[str](),
    "scrape_samples_post_metric_relabeling": set[str](),
    "scrape_series_added": set[str](),
    "ALERTS": {"alertname", "alertstate", "severity"},
    "ALERTS_FOR_STATE": {"alertname", "severity"},
}
# These families came from a map of queries that added the label, and became collectors that do not.
MOVED = re.compile(r"pg_(settings|stat_activity|stat_archiver|stat_replication|replication_slots)_")


def parsed(text: str) -> Series:
    """Type and labels of each series of an exposition; the target's own labels go before those of the same name.

    prometheus_client's parser will not do: it adds `_total` to the names of counters, which these exporters lack.
    """
    found: Series = {}
    kinds = dict(re.findall(r"(?m)^# TYPE (\S+) (\w+)$", text))
    for name, labels in re.findall(r"(?m)^([a-zA-Z_:][\w:]*)(\{.*\})? \S+$", text):
        family = name if name in kinds else re.sub(r"_(bucket|sum|count)$", "", name)
        given = re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', labels)
        kept = {f"exported_{label}" if label in ("job", "instance") else label for label in given}
        found.setdefault(name, (kinds[family], set()))[1].update(kept)
    return found


def write(name: str, source: str, found: Series) -> None:
    """Write one inventory, in the order of names."""
    rows = [f"{series}\t{kind}\t{','.join(sorted(labels))}\n" for series, (kind, labels) in sorted(found.items())]
    INVENTORY.mkdir(exist_ok=True)
    (INVENTORY / f"{name}.tsv").write_text(f"# {source}\n{''.join(rows)}", encoding="utf-8")
    print(f"{name}: {len(rows)} series")


def read(path: Path) -> tuple[str, Series]:
    """Source and series of one inventory."""
    source, *rows = path.read_text(encoding="utf-8").splitlines()
    cells = (row.split("\t") for row in rows)
    return source, {name: (kind, set(labels.split(",")) if labels else set()) for name, kind, labels in cells}


def asked(url: str) -> Series:
    """The metrics behind a URL as soon as there are any; raises OSError after a minute."""
    for _ in range(120):
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return parsed(answer.read().decode())
        except OSError:
            time.sleep(0.5)
    raise OSError(f"{url} does not answer")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def version(program: str) -> str:
    """Major and minor number that a program prints of itself."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    match = re.search(r"version (\d+\.\d+)", said.stdout + said.stderr)
    return match[1] if match else sys.exit(f"{program} does not say its version")


@contextmanager
def beside(*argv: str, **options: Any) -> Iterator[None]:
    """A program that runs meanwhile, silently."""
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options) as process:
        try:
            yield
        finally:
            process.terminate()


class Server:
    """A throwaway cluster of the programs in a folder; it listens on a socket only."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs.absolute(), folder
        self.version = self.run("postgres", "--version").split()[2]
        share = Path(self.run("pg_config", "--sharedir").strip())
        self.statements = (share / "extension" / "pg_stat_statements.control").exists()

    def run(self, program: str, *words: str, **options: Any) -> str:
        """Run one of its programs to its end; gives back what it printed."""
        argv = (str(self.programs / program), *words)
        done = subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, check=True, **NOBODY, **options)
        return str(done.stdout)

    def ask(self, sql: str, database: str) -> None:
        """Run statements, each by itself."""
        self.run("psql", "-h", str(self.folder), "-U", "postgres", "-d", database, "-XAtq", input=sql)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start it, fill it, and stop it in the end."""
        self.run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-N")
        words = [f"--{setting}" for setting in (*SETTINGS.split(), KEPT)] + ["-k", str(self.folder)]
        words += ["--shared_preload_libraries=pg_stat_statements"] if self.statements else []
        # Its output goes to a file: a pipe would stay open as long as the server runs.
        self.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", " ".join(words), "start")
        try:
            self.ask("CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor;", "postgres")
            self.ask("CREATE DATABASE app;", "postgres")
            self.ask(CONTENT + ("CREATE EXTENSION pg_stat_statements;" if self.statements else ""), "app")
            yield
        finally:
            self.run("pg_ctl", "-D", "data", "-m", "immediate", "stop")


def exporter_on(exporter: str, server: Server, major: int) -> Series:
    """What one exporter tells of a server that runs."""
    flags = [f"--collector.{name}" for name in COLLECTORS if name != "stat_statements" or server.statements]
    flags += ["--collector.stat_checkpointer"] if major >= 17 else []
    port, target = free_port(), server.folder / "received"
    target.mkdir()
    if NOBODY:
        os.chown(target, NOBODY["user"], NOBODY["group"])
    receiver = (str(server.programs / "pg_receivewal"), "-h", str(server.folder), "-U", "postgres", "-S", "kept")
    variables = {"DATA_SOURCE_NAME": f"host={server.folder} user=monitor dbname=app sslmode=disable"}
    listening = f"--web.listen-address=127.0.0.1:{port}"
    with beside(*receiver, "-D", str(target), **NOBODY), beside(exporter, listening, *flags, env=variables):
        # The receiver needs a moment to connect, autovacuum one to pass.
        time.sleep(3)
        return asked(f"http://127.0.0.1:{port}/metrics")


def postgres(exporter: str, programs: str) -> None:
    """Inventory of one exporter on one server."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="inventory-"))
        stack.callback(shutil.rmtree, folder)
        if NOBODY:
            os.chown(folder, NOBODY["user"], NOBODY["group"])
        server = Server(Path(programs), folder)
        major = int(server.version.split(".")[0])
        stack.enter_context(server.running())
        found = exporter_on(exporter, server, major)
    number, without = version(exporter), ""
    if not server.statements:
        # The collector asks every version from 13 on for the same.
        _, other = read(INVENTORY / f"postgres_exporter-{number}-pg15.tsv")
        found |= {name: series for name, series in other.items() if "pg_stat_statements" in name}
        without = "; pg_stat_statements, which this build lacks, as on 15"
    source = f"postgres_exporter {number} on PostgreSQL {server.version}, run{without}"
    write(f"postgres_exporter-{number}-pg{major}", source, found)


def twenty() -> None:
    """postgres_exporter 0.20 has no build here: what its changelog and source changed, made to what 0.19 told."""
    for path in sorted(INVENTORY.glob("postgres_exporter-0.19-*.tsv")):
        source, found = read(path)
        changed: Series = {}
        for name, (kind, labels) in found.items():
            renamed = name.replace("pg_replication_slot_", "pg_replication_slots_", 1)
            changed[renamed] = (kind, labels - {"server"} if MOVED.match(renamed) else labels)
        text = f"postgres_exporter 0.20, not run: its source's changes to the inventory of {source.removeprefix('# ')}"
        write(path.stem.replace("0.19", "0.20"), text, changed)


def program(name: str, argv: list[str]) -> None:
    """Inventory of Prometheus or Alertmanager; {port} and {folder} in its words stand for a free port and a folder.

    In the folder is a prometheus.yml.
    """
    port, number = free_port(), version(argv[0])
    with tempfile.TemporaryDirectory() as folder:
        # Some of Prometheus's series are there only with rules, targets and somebody to notify.
        (Path(folder) / "prometheus.yml").write_text(
            f"rule_files: [{ROOT}/config/prometheus/rules/*.yml]\n"
            f"scrape_configs: [{{job_name: own, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]}}\n"
        )
        words = [word.format(port=port, folder=folder) for word in argv]
        with beside(*words):
            asked(f"http://127.0.0.1:{port}/metrics")
            # The rules' first evaluation is spread over their interval.
            time.sleep(5)
            found = asked(f"http://127.0.0.1:{port}/metrics")
    made = {series: ("gauge", labels) for series, labels in SYNTHETIC.items()} if name == "prometheus" else {}
    write(f"{name}-{number}", f"{name} {number}, run", found | made)


def scrape(name: str, url: str) -> None:
    """Inventory of a program that runs."""
    write(name, f"{name}, run", asked(url))


def app() -> None:
    """Inventory of the app, out of its declarations: a series with labels is there from its first use on."""
    sys.path.insert(0, str(ROOT / "stack" / "app"))
    from app import metrics  # noqa: PLC0415

    found: Series = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            labels = set(metric._labelnames)
            for name, more in endings(family.type):
                found[family.name + name] = (family.type, labels | more)
    write("app", "stack/app/app/metrics.py, as declared", found)


def endings(kind: str) -> Iterator[tuple[str, set[str]]]:
    """What a metric's series are called after its name, and which labels they add."""
    if kind == "histogram":
        yield from (("_bucket", {"le"}), ("_sum", set()), ("_count", set()))
    else:
        yield "_total" if kind == "counter" else "", set()


def main() -> None:
    """Do what the first word asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("postgres", "twenty", "program", "scrape", "app"))
    given = parser.parse_known_args()
    words = given[1]
    doing: dict[str, Callable[[], None]] = {
        "postgres": lambda: postgres(*words),
        "twenty": twenty,
        "program": lambda: program(words[0], words[1:]),
        "scrape": lambda: scrape(*words),
        "app": app,
    }
    doing[given[0].what]()


if __name__ == "__main__":
    main()
