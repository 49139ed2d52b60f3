"""Rendered files, read by the programs that will read them: PostgreSQL, supervisord, YAML parsers."""

import json
import re
import shlex
import subprocess

import pytest
import yaml
from supervisor.options import ServerOptions

from profiles import catalog, changed, sized
from stackctl import assets
from stackctl.engine.embedded.programs import wheel_folder
from stackctl.hardware.model import PORTABLE_BUILD, Workload
from stackctl.render.stack import profile_line, render_postgres
from stackctl.settings.alerts import AlertSettings
from stackctl.settings.model import Ports
from stacks import by_path, compose_files, embedded_files

# What a hardened rendering of other profiles must not lose.
AWKWARD_FOLDER = "it's 50% #1 ;x $HOME/Käse"
LINE = re.compile(r"([a-z_.]+) = ('(?:[^']|'')*'|\S+)(?:  # .+)?")


def _settings(text):
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    matches = [LINE.fullmatch(line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches, strict=True) if not match]
    names = [match[1] for match in matches]
    assert len(names) == len(set(names))
    return {match[1]: match[2].strip("'").replace("''", "'") for match in matches}


@pytest.mark.parametrize("major", [15, 16, 17, 18])
@pytest.mark.parametrize("target", ["conf", "compose"])
def test_every_parameter_is_known_to_the_version_and_in_range(major, target):
    profile = changed(postgres=major)
    if target == "conf":
        files = by_path(render_postgres(sized(profile, PORTABLE_BUILD)))
        text = files["postgresql.conf"]
    else:
        text = by_path(compose_files(sized(profile)))["postgres/postgresql.conf"]
    settings = _settings(text)
    assert len(settings) > 45
    assert [catalog(major).check(name, value, "") for name, value in settings.items()] == [None] * len(settings)


def test_conf_has_no_path_and_nothing_that_a_build_may_lack():
    files = by_path(render_postgres(sized(changed(workload=Workload.OLAP), PORTABLE_BUILD)))
    assert sorted(files) == ["pg_hba.conf", "postgresql.conf"]
    text = "".join(files.values())
    assert not re.search(r"lz4|zstd|io_uring|^include|data_directory|/etc|/var|/run", text, re.MULTILINE)
    assert _settings(files["postgresql.conf"])["wal_compression"] == "off"


def test_archiving_is_the_stacks_own():
    """Another server has no such script, and archive_mode without a command would keep its WAL for ever."""
    assert "archive_" not in by_path(render_postgres(sized()))["postgresql.conf"]
    stack = _settings(by_path(compose_files(sized()))["postgres/postgresql.conf"])
    assert (stack["archive_mode"], stack["archive_timeout"], stack["summarize_wal"]) == ("on", "60s", "on")
    pinned = sized(archive_timeout="5min")
    assert _settings(by_path(render_postgres(pinned))["postgresql.conf"])["archive_timeout"] == "5min"


def test_a_server_reads_conf(tmp_path):
    for path, text in by_path(render_postgres(sized(changed(postgres=18), PORTABLE_BUILD))).items():
        (tmp_path / path).write_text(text)
    (tmp_path / "pg_ident.conf").touch()
    read = {name: _ask(tmp_path, name) for name in ("shared_buffers", "work_mem", "log_line_prefix", "max_wal_size")}
    assert read == {
        "shared_buffers": "524288",  # of 8 kB
        "work_mem": "32768",
        "log_line_prefix": "%m [%p] user=%u,db=%d,app=%a,client=%h ",
        "max_wal_size": "4096",
    }


def _ask(folder, name):
    command = [str(wheel_folder() / "postgres"), "-C", name, "-D", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")


def test_pins_of_any_text_reach_the_server(tmp_path):
    pins = {"application_name": "it's #1", "search_path": '"$user", public', "deadlock_timeout": "1.5s"}
    sizing = sized(changed(postgres=18), PORTABLE_BUILD, **pins)
    for path, text in by_path(render_postgres(sizing)).items():
        (tmp_path / path).write_text(text)
    (tmp_path / "pg_ident.conf").touch()
    assert [_ask(tmp_path, name) for name in pins] == ["it's #1", '"$user", public', "1500"]


def test_each_parameter_has_its_reason_beside_it():
    text = by_path(compose_files(sized(work_mem="20MB")))["postgres/postgresql.conf"]
    assert "work_mem = 20MB  # pinned by stackctl.yaml; sized would be 32MB\n" in text
    assert "max_connections = 200  # 12.5 per GiB of RAM" in text


def test_pg_hba_lets_nobody_in_without_a_password_but_the_owner_of_the_cluster():
    for text, administrator in (
        (by_path(compose_files(sized()))["postgres/pg_hba.conf"], ["peer", "map=stack"]),
        (by_path(render_postgres(sized()))["pg_hba.conf"], ["peer"]),
    ):
        lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
        assert lines[0] == ["local", "all", "postgres", *administrator]
        assert len(lines) == 7
        for kind, database, role, origin, method in lines[1:]:
            assert (kind, origin, method) == ("host", "samenet", "scram-sha-256")
            assert role in ("app", "owner", "monitor", "backup", "report")
            assert database != "all"
        assert not re.search(r"\btrust\b|\bmd5\b|0\.0\.0\.0/0", text)


def test_provisioning_states_roles_with_their_limits():
    text = by_path(compose_files(sized()))["postgres/provision.sql"]
    assert re.findall(r"ALTER ROLE (\w+) LOGIN .*\n +CONNECTION LIMIT (\d+);", text) == [
        ("owner", "5"),
        ("app", "100"),
        ("monitor", "5"),
        ("backup", "5"),
        ("report", "2"),
    ]
    assert re.findall(r"ALTER ROLE (\w+) PASSWORD %L', :'(\w+)'", text) == [
        (role, f"{role}_verifier") for role in ("owner", "app", "monitor", "backup", "report")
    ]
    assert "ALTER DATABASE app CONNECTION LIMIT 117;" in text  # 5 + 100 + 5 + 5 + 2
    assert re.findall(r"ALTER ROLE (\w+) SET statement_timeout = '(\w+)'", text) == [
        ("owner", "0"),
        ("app", "30000ms"),
        ("monitor", "10s"),
        ("backup", "0"),
        ("report", "10min"),
    ]
    assert "ALTER ROLE app SET transaction_timeout = '5min';" in text
    assert "GRANT pg_use_reserved_connections TO monitor, backup;" in text


def test_provisioning_of_15_asks_for_nothing_it_lacks():
    text = by_path(compose_files(sized(changed(postgres=15))))["postgres/provision.sql"]
    assert "transaction_timeout" not in text
    assert "pg_use_reserved_connections" not in text


def test_prometheus_scrapes_what_runs():
    def jobs(profile):
        config = yaml.safe_load(by_path(compose_files(sized(profile)))["prometheus/prometheus.yml"])
        targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
        return targets, "alerting" in config

    assert jobs(changed()) == (
        {
            "prometheus": ["prometheus:9090"],
            "postgres": ["exporter:9187"],
            "stackctl": ["observer:9188"],
            "app": ["app:4445"],
            "alertmanager": ["alertmanager:9093"],
        },
        True,
    )
    targets, alerting = jobs(changed(ram_mib=1024, app_workers=1))
    assert (sorted(targets), alerting) == (["app", "postgres", "prometheus", "stackctl"], False)


def test_grafana_finds_prometheus_and_its_dashboards():
    files = by_path(compose_files(sized()))
    (source,) = yaml.safe_load(files["grafana/provisioning/datasources/prometheus.yml"])["datasources"]
    assert (source["uid"], source["url"], source["access"]) == ("prometheus", "http://prometheus:9090", "proxy")
    prometheus = yaml.safe_load(files["prometheus/prometheus.yml"])
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
    (provider,) = yaml.safe_load(files["grafana/provisioning/dashboards/stack.yml"])["providers"]
    assert provider["options"]["path"] == "/etc/stackctl/grafana/dashboards"


def test_nobody_changes_what_grafana_is_given():
    files = by_path(compose_files(sized()))
    (source,) = yaml.safe_load(files["grafana/provisioning/datasources/prometheus.yml"])["datasources"]
    (provider,) = yaml.safe_load(files["grafana/provisioning/dashboards/stack.yml"])["providers"]
    assert (source["editable"], provider["allowUiUpdates"], provider["disableDeletion"]) == (False, False, True)
    dashboards = [json.loads(text) for path, text in files.items() if path.startswith("grafana/dashboards/")]
    assert [each["editable"] for each in dashboards] == [False] * 8


def test_grafana_lets_nobody_in_and_sends_nothing_out():
    files = by_path(compose_files(sized()))
    said = yaml.safe_load(files["compose.yaml"])["services"]["grafana"]["environment"]
    assert said["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_password"
    home = said["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].removeprefix("/etc/stackctl/")
    assert json.loads(files[home])["uid"] == "stackctl-overview"
    assert {name for name, value in said.items() if value == "false"} == {
        "GF_AUTH_ANONYMOUS_ENABLED",
        "GF_USERS_ALLOW_SIGN_UP",
        "GF_USERS_ALLOW_ORG_CREATE",
        "GF_SNAPSHOTS_ENABLED",
        "GF_SNAPSHOTS_EXTERNAL_ENABLED",
        "GF_PUBLIC_DASHBOARDS_ENABLED",
        "GF_ANALYTICS_REPORTING_ENABLED",
        "GF_ANALYTICS_CHECK_FOR_UPDATES",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
        "GF_ANALYTICS_FEEDBACK_LINKS_ENABLED",
        "GF_NEWS_NEWS_FEED_ENABLED",
        "GF_PLUGINS_PREINSTALL_AUTO_UPDATE",
        "GF_PLUGINS_PLUGIN_ADMIN_ENABLED",
        "GF_UNIFIED_ALERTING_ENABLED",
    }
    assert {name for name, value in said.items() if value == "true"} == {
        "GF_SECURITY_DISABLE_GRAVATAR",
        "GF_PLUGINS_PREINSTALL_DISABLED",
        "GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED",
    }


@pytest.mark.parametrize("ram_mib", [768, 1024, 16_384])
def test_services_that_do_not_run_leave_no_files(ram_mib):
    profile = changed(ram_mib=ram_mib, app_workers=1)
    tops = {path.split("/")[0] for path in by_path(compose_files(sized(profile)))}
    always = {"compose.yaml", "postgres", "gunicorn", "app"}
    expected = {768: set(), 1024: {"prometheus", "observer"}}
    expected[16_384] = {"prometheus", "observer", "alertmanager", "grafana"}
    assert tops == always | expected[ram_mib]


def test_files_without_j2_are_copied_byte_for_byte():
    files = {file.path: file for file in compose_files(sized())}
    for path, source in {
        "prometheus/rules/availability.yml": "config/prometheus/rules/availability.yml",
        "alertmanager/message.tmpl": "config/alertmanager/message.tmpl",
        "gunicorn/gunicorn.conf.py": "config/gunicorn/gunicorn.conf.py",
        "app/app/main.py": "stack/app/app/main.py",
        "app/requirements.txt": "stack/app/requirements.txt",
        "postgres/initdb.d/10-provision.sh": "config/postgres/initdb.d/10-provision.sh",
    }.items():
        assert files[path].content == (assets.root() / source).read_bytes()
    assert files["postgres/initdb.d/10-provision.sh"].mode == 0o755
    assert not [path for path in files if "__pycache__" in path or "/." in path]


def test_links_of_a_message_lead_to_what_is_published(tmp_path):
    ports, pages = Ports(grafana=3333), AlertSettings(runbooks="https://git.example.com/shop/runbooks")
    compose = by_path(compose_files(sized(), ports=ports, alerts=pages))["alertmanager/links.tmpl"].splitlines()[1:]
    assert compose == [
        '{{ define "stackctl.runbook" }}https://git.example.com/shop/runbooks/'
        '{{ reReplaceAll "^docs/runbooks/" "" .runbook_url }}{{ end }}',
        '{{ define "stackctl.dashboard" }}http://127.0.0.1:3333{{ .dashboard_url }}{{ end }}',
        '{{ define "stackctl.link" -}}',
        '{{ if .CommonAnnotations.runbook_url }}{{ template "stackctl.runbook" .CommonAnnotations }}'
        "{{ else }}{{ .ExternalURL }}{{ end }}",
        "{{- end }}",
    ]
    without = by_path(embedded_files(sized(), tmp_path))["alertmanager/links.tmpl"]
    assert '{{ define "stackctl.dashboard" }}{{ .dashboard_url }}{{ end }}' in without, "it has no Grafana"


def test_each_engine_gets_only_its_own_files(tmp_path):
    compose, embedded = by_path(compose_files(sized())), by_path(embedded_files(sized(), tmp_path))
    assert set(compose) - set(embedded) >= {"compose.yaml", "postgres/initdb.d/10-provision.sh"}
    assert "supervisord.conf" in set(embedded) - set(compose)


def test_the_first_line_names_the_profile():
    assert profile_line(sized().profile) == ("16 GiB RAM, 4 CPUs, ssd, 200 GiB disk, web, PostgreSQL 17, 4 workers")
    first = by_path(compose_files(sized()))["compose.yaml"].splitlines()[0]
    assert re.fullmatch(
        r"# generated by stackctl \d+\.\d+\.\d+ from profile 16 GiB RAM, .*, 4 workers - do not edit", first
    )


def _supervised(root, **fields):
    """The programs of a rendered supervisord.conf, by supervisor's own reader."""
    for name in ("run", "logs", "work"):
        (root / name).mkdir(parents=True)
    path = root / "supervisord.conf"
    path.write_text(by_path(embedded_files(sized(changed(**fields)), root))["supervisord.conf"])
    options = ServerOptions()
    options.realize(["-c", str(path), "-n"], doc="")
    programs = {p.name: p for group in options.process_group_configs for p in group.process_configs}
    return options, programs


def test_supervisord_reads_its_file(tmp_path):
    root = tmp_path / AWKWARD_FOLDER
    options, programs = _supervised(root)
    assert list(programs) == ["postgres", "app", "exporter", "prometheus", "alertmanager"]
    assert (options.logfile, options.pidfile) == (f"{root}/logs/supervisord.log", f"{root}/run/supervisord.pid")
    assert [config["file"] for config in options.server_configs] == [f"{root}/run/supervisor.sock"]
    assert options.server_configs[0]["chmod"] == 0o600
    postgres, app = programs["postgres"], programs["app"]
    assert shlex.split(postgres.command) == [
        f"{root}/programs/postgres",
        "-c",
        f"config_file={root}/rendered/postgres/postgresql.conf",
    ]
    assert (postgres.stopsignal, postgres.stopwaitsecs, postgres.autostart) == (2, 92, True)
    assert shlex.split(app.command)[3:5] == ["-c", f"{root}/rendered/gunicorn/gunicorn.conf.py"]
    assert app.environment["DB_PASSWORD_FILE"] == f"{root}/secrets/app_password"
    assert app.environment["PROMETHEUS_MULTIPROC_DIR"] == f"{root}/run/metrics"
    assert app.environment["BIND"] == "127.0.0.1:4444"
    for name, program in programs.items():
        assert program.stdout_logfile == f"{root}/logs/{name}.log"
        assert program.directory == f"{root}/work"
        assert program.redirect_stderr


def test_the_embedded_exporter_has_its_password_in_a_file(tmp_path):
    _, programs = _supervised(tmp_path / "home")
    variables = programs["exporter"].environment
    assert variables["DATA_SOURCE_PASS_FILE"] == f"{tmp_path}/home/secrets/monitor_password"
    assert variables["DATA_SOURCE_URI"] == "127.0.0.1:5432/app?sslmode=disable"


def test_small_embedded_stacks_have_no_monitoring(tmp_path):
    _, programs = _supervised(tmp_path / "home", ram_mib=768, app_workers=1)
    assert list(programs) == ["postgres", "app"]


def test_a_server_reads_the_embedded_file_below_an_awkward_folder(tmp_path):
    root = tmp_path / AWKWARD_FOLDER
    files = by_path(embedded_files(sized(changed(postgres=18), PORTABLE_BUILD), root))
    (root / "data/18").mkdir(parents=True)
    for path in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
        target = root / "rendered/postgres" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(files[f"postgres/{path}"])
    command = [
        str(wheel_folder() / "postgres"),
        "-C",
        "NAME",
        "-c",
        f"config_file={root}/rendered/postgres/postgresql.conf",
    ]
    found = {}
    for name in ("data_directory", "hba_file", "unix_socket_directories", "listen_addresses", "cluster_name"):
        command[2] = name
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found[name] = done.stdout.removesuffix("\n")
    assert found == {
        "data_directory": f"{root}/data/18",
        "hba_file": f"{root}/rendered/postgres/pg_hba.conf",
        "unix_socket_directories": f'"{root}/run"',
        "listen_addresses": "127.0.0.1",
        "cluster_name": "shop",
    }
