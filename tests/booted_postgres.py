"""A cluster that is started with one configuration after the other, to hear what the server says of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stackctl.hardware.model import HardwareProfile
from stackctl.render.stack import render_postgres
from stackctl.sizing.model import Sizing

# Where the server stands, and what it is given; its answer goes to standard output.
_BOOT = """
cat >"$DIR/data/postgresql.conf"
"$BIN/pg_ctl" -D "$DIR/data" -w -t 60 -l "$DIR/log" start \
    -o "-c listen_addresses='' -c unix_socket_directories='$DIR' -p 5432" >"$DIR/said" 2>&1 ||
    { cat "$DIR/said" "$DIR/log"; exit 1; }
"$BIN/psql" -h "$DIR" -U postgres -d postgres -XAtq -c "$SQL"
code=$?
"$BIN/pg_ctl" -D "$DIR/data" -m immediate stop >/dev/null
exit $code
"""
_CREATE = 'mkdir -p "$DIR" && "$BIN/initdb" -D "$DIR/data" -U postgres -A trust --no-sync >/dev/null'
# Lines that the server does not take as they stand; the place and the port are given on the command line.
_REFUSED = """
SELECT f.name, f.setting, f.error, s.source, s.pending_restart
FROM pg_file_settings f LEFT JOIN pg_settings s ON lower(s.name) = lower(f.name)
WHERE f.error IS NOT NULL OR NOT f.applied OR s.name IS NULL OR s.pending_restart
   OR s.source <> 'configuration file'
"""


def conf(sizing: Sizing) -> bytes:
    """postgresql.conf for any server."""
    return next(file.content for file in render_postgres(sizing) if file.path == "postgresql.conf")


def machine_id(machine: HardwareProfile) -> str:
    """A machine's name among the cases of a test."""
    return f"{machine.ram >> 20}M-{machine.cpus}cpu-{machine.workload}-{machine.storage}"


Shell = Callable[[str, dict[str, str], str], str]
"""Runs a script with variables and standard input; gives back what it printed, and fails where it failed."""


@dataclass(frozen=True)
class Cluster:
    """One cluster below `folder`, its programs in `programs`, run through `shell`."""

    shell: Shell
    programs: str
    folder: str

    def create(self) -> None:
        """Make the cluster."""
        self._run(_CREATE, "", "")

    def refused(self, conf: bytes) -> str:
        """Boot with `conf`; gives back the lines that are not in force as written, empty where all are."""
        return self._run(_BOOT, _REFUSED, conf.decode())

    def values(self, conf: bytes, names: Iterable[str]) -> dict[str, str]:
        """Boot with `conf`; gives back what the server shows for each name."""
        wanted = ", ".join(f"('{name}')" for name in names)
        said = self._run(_BOOT, f"SELECT n, current_setting(n) FROM (VALUES {wanted}) AS v(n)", conf.decode())
        return dict(line.split("|", 1) for line in said.splitlines())

    def _run(self, script: str, sql: str, text: str) -> str:
        return self.shell(script, {**self.variables, "SQL": sql}, text).strip()

    @property
    def variables(self) -> dict[str, str]:
        """Where a script finds the programs and the cluster."""
        return {"BIN": self.programs, "DIR": self.folder}
