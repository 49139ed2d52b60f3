"""The rules ask for what is there, and say what an operator needs."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations as pairs
from typing import Any

import pytest
import typer
import yaml

from known_series import CASES, MAJORS, ROOT, RULES, alerts, anywhere, combinations, known, rules
from profiles import changed, sized
from promql_labels import TARGET, Unknown, Wrong, result, selected
from stackctl.cli import main
from stacks import by_path, compose_files

RUNBOOKS = ROOT / "docs" / "runbooks"
APPLICATION: Any = typer.main.get_command(main.build())
DASHBOARDS = {
    f"stackctl-{name}" for name in ("overview", "postgresql", "queries", "tables", "wal", "pools", "app", "host")
}
PROMISED = {
    "PostgresDown",
    "PostgresExporterDown",
    "AppDown",
    "PoolSaturation",
    "QueryLatencyHigh",
    "SlowStatement",
    "ConnectionsHigh",
    "DatabaseCpuHigh",
    "TableBloat",
    "AutovacuumBehind",
    "CacheHitLow",
    "Deadlocks",
    "CheckpointsForced",
    "WalArchiveFailing",
    "WalArchiveBacklog",
    "BackupTooOld",
    "BackupFailed",
    "RestoreDrillTooOld",
    "DiskFilling",
    "ReplicationSlotLag",
    "WraparoundNear",
    "ChecksumFailures",
    "IdleInTransaction",
    "SettingsDrift",
    "ReplicationLag",
    "HttpErrorBudgetBurn",
    "TempFilesHigh",
    "DatabaseRestarted",
    "ScrapeFailing",
}
COMBINATIONS = [pytest.param(*each, id=f"exporter {each[0]}, PostgreSQL {each[1]}") for each in combinations()]


def name_of(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])


def test_every_alert_that_was_promised_is_there_and_no_other() -> None:
    assert {rule["alert"] for rule in alerts()} == PROMISED


@pytest.mark.parametrize(("exporter", "major"), COMBINATIONS)
def test_every_series_and_label_of_a_rule_is_there(exporter: str, major: int) -> None:
    for rule in rules():
        try:
            labels = result(rule["expr"], known(exporter, major))
        except Wrong as error:
            pytest.fail(f"{name_of(rule)}: {error}")
        assert not labels & {"server", "datid"}, f"{name_of(rule)}: labels that differ between versions"
        told = " ".join(rule.get("annotations", {}).values())
        asked = set(re.findall(r"\$labels\.(\w+)", told))
        assert asked <= labels, f"{name_of(rule)}: {asked - labels} in its text"


def test_no_branch_asks_for_what_no_version_has() -> None:
    for rule in rules():
        for series in selected(rule["expr"]):
            assert anywhere(series), f"{name_of(rule)}: {series}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("pg_stat_bgwriter_checkpoints_req", "no series"),
        ("sum by (job) (pg_nowhere) or pg_nothing", "no series pg_nowhere"),
        ('pg_up{server="x"}', "has no label server"),
        ("sum by (job, datname) (pg_up)", "over datname"),
        ("max by (datname) (sum by (job) (pg_stat_database_deadlocks))", "over datname"),
        ("rate(pg_up[5m])", "rate of a gauge"),
        ("rate(instance:pg_connections:sum[5m])", "rate of a recorded"),
        ("predict_linear(pg_stat_database_deadlocks[1h], 60)", "predict_linear of a counter"),
        ("pg_stat_activity_count / pg_settings_max_connections", "nothing matches"),
        ("pg_up and on (datname) pg_stat_database_deadlocks", "which a side does not have"),
        (
            "histogram_quantile(0.9, sum by (job) (rate(app_db_query_duration_seconds_bucket[5m])))",
            "without the label le",
        ),
        ('stackctl_backup_job_late{job_name="full"}', "has no label job_name"),
        ("pg_up unless pg_gone", "no series pg_gone"),
    ],
)
def test_the_check_finds(text: str, complaint: str) -> None:
    with pytest.raises(Wrong, match=complaint):
        result(text, known("0.17", 18))


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("pg_gone or pg_up", {"job", "instance"}),
        ("sum without (le) (app_db_query_duration_seconds_bucket)", {"job", "instance", "route"}),
        (
            "pg_stat_user_tables_n_dead_tup * on (job, instance) group_left () pg_up",
            {"datname", "relname", "schemaname"},
        ),
        ("topk(3, pg_database_size_bytes)", {"job", "instance", "datname"}),
        ("time() - pg_postmaster_start_time_seconds > 5", {"job", "instance"}),
        ('absent(pg_up{job="postgres"})', {"job"}),
    ],
)
def test_the_check_follows_labels(text: str, labels: set[str]) -> None:
    found = result(text, known("0.17", 18))
    assert found == labels or found == labels | TARGET


def test_a_dead_branch_is_found() -> None:
    with pytest.raises(Unknown):
        anywhere("pg_stat_bgwriter_checkpoints_req")


def test_every_alert_says_how_bad_what_where() -> None:
    for rule in alerts():
        name, told = rule["alert"], rule["annotations"]
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), name
        assert set(told) == {"summary", "description", "runbook_url", "dashboard_url"}, name
        assert "$value" in told["description"], f"{name} does not say the value"
        assert told["runbook_url"] == f"docs/runbooks/{name}.md"
        assert told["dashboard_url"].removeprefix("/d/") in DASHBOARDS, name


def test_no_rule_uses_an_alias_of_yaml() -> None:
    """Prometheus reads `expr: *name` as the series `name`, without a word; this program's parser does not."""
    for path in RULES.glob("*.yml"):
        tokens = yaml.scan(path.read_text(encoding="utf-8"))
        assert not [each for each in tokens if isinstance(each, (yaml.AliasToken, yaml.AnchorToken))], path.name


def test_every_rule_of_an_alert_has_its_own_severity() -> None:
    """Two rules of one name and severity would be one alert with two texts."""
    assert max(Counter((rule["alert"], rule["labels"]["severity"]) for rule in alerts()).values()) == 1


# What lasts a moment, and is over when it is seen: the windows of the expressions, or what keeps them, let it be seen.
AT_ONCE = {
    ("DatabaseRestarted", "warning"): "it is over already; fifteen minutes of changes are looked at",
    ("Deadlocks", "warning"): "it is over already; ten minutes of counts are looked at",
    ("SlowStatement", "info"): "the app's statements end after 30 s, two scrapes",
}


def test_every_alert_waits_but_those_of_what_is_over() -> None:
    """One odd scrape must wake nobody."""
    found = {(rule["alert"], rule["labels"]["severity"]) for rule in alerts() if "for" not in rule}
    assert found == set(AT_ONCE)
    waits = {rule["alert"]: rule["for"] for rule in alerts() if rule.get("for", "").endswith("s")}
    assert waits == {"IdleInTransaction": "15s"}, "two scrapes at least, and a minute where nothing ends it before"


def inhibitions() -> list[dict[str, Any]]:
    """As they are rendered: what holds what back."""
    rendered = by_path(compose_files(sized(changed())))["alertmanager/alertmanager.yml"]
    found: list[dict[str, Any]] = yaml.safe_load(rendered)["inhibit_rules"]
    return found


def test_what_is_held_back_are_alerts_that_there_are() -> None:
    matchers = [each for rule in inhibitions() for key in ("source_matchers", "target_matchers") for each in rule[key]]
    named = [match[1] for each in matchers if (match := re.fullmatch(r'alertname =~? "([\w|]+)"', each))]
    assert len(named) == sum("alertname" in each for each in matchers), "one is spelled another way"
    assert any("TableBloat" in names for names in named)
    assert {name for names in named for name in names.split("|")} <= PROMISED


def test_a_lost_exporter_silences_only_what_it_would_tell() -> None:
    """What another one sees is still true, and may be the reason."""
    (targets,) = (
        rule["target_matchers"]
        for rule in inhibitions()
        if rule["source_matchers"] == ['alertname = "PostgresExporterDown"']
        and rule["target_matchers"] != ['alertname = "ScrapeFailing"', 'job = "postgres"']
    )
    (names,) = re.findall('"(.*)"', targets[0])
    assert "ConnectionsHigh" in names
    expressions = recorded_in_full(names.split("|"))
    assert expressions
    # What the planner knows of a table only corrects what the exporter says of it.
    others = r"\b(stackctl|app|http)_(?!table_rows\b)|job=\"(?!postgres)"
    assert [each for each in expressions if re.search(others, each)] == []


def test_a_database_that_hangs_is_told_once() -> None:
    """Its exporter's scrapes end with it, and so do the app's requests; what may be why it hangs is still told."""
    held = {
        name
        for rule in inhibitions()
        if rule["source_matchers"] == ['alertname = "PostgresDown"'] and len(rule["target_matchers"]) == 1
        for name in re.findall('"(.*)"', rule["target_matchers"][0])[0].split("|")
    }
    assert {"PostgresExporterDown", "ConnectionsHigh", "PoolSaturation", "HttpErrorBudgetBurn"} <= held
    assert not held & {"PostgresDown", "AppDown", "DiskFilling", "DatabaseCpuHigh", "WraparoundNear", "BackupTooOld"}
    kept = {rule["alert"]: rule.get("keep_firing_for", "0m") for rule in alerts()}
    assert kept["PostgresExporterDown"] < kept["PostgresDown"] == "2m", "what is held back would outlive what holds it"


def recorded_in_full(names: list[str]) -> list[str]:
    """The expressions of alerts, with those of the recording rules that they name."""
    recording = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}
    found = [rule["expr"] for rule in alerts() if rule["alert"] in names]
    return [*found, *(text for name, text in recording.items() if any(name in each for each in found))]


# One damaged backup says nothing of the next that is late.
OF_DIFFERENT_THINGS = {"BackupFailed"}


def test_of_one_alert_the_worse_holds_the_better_back() -> None:
    order = ("critical", "warning", "info")
    held = {}
    for rule in (rule for rule in inhibitions() if "alertname" in rule["equal"]):
        (worse,), (better,) = (re.findall('"(.*)"', rule[key][0]) for key in ("source_matchers", "target_matchers"))
        held |= {(worse, each): set(rule["equal"]) for each in better.split("|")}
    assert set(held) == {("critical", "warning"), ("critical", "info"), ("warning", "info")}
    several = [pair for pair in pairs(alerts(), 2) if pair[0]["alert"] == pair[1]["alert"]]
    assert several
    for pair in several:
        name, severities = pair[0]["alert"], sorted((each["labels"]["severity"] for each in pair), key=order.index)
        same = held[severities[0], severities[1]]
        one, other = (set(result(rule["expr"], known("0.17", 18))) for rule in pair)
        if name in OF_DIFFERENT_THINGS:
            assert (one ^ other) & same, f"{name}: an old fault would hold a new one back"
            continue
        assert one & same == other & same, f"{name}: a label that must be equal is on one side only"
        assert one & other <= same, f"{name}: one of another thing would be held back too"


def test_every_alert_has_a_page_with_its_four_parts() -> None:
    pages = {path.stem: path.read_text(encoding="utf-8") for path in RUNBOOKS.glob("*.md") if path.stem != "README"}
    assert set(pages) == PROMISED
    for name, page in pages.items():
        assert page.startswith(f"# {name}\n")
        assert re.findall(r"(?m)^## (.+)$", page) == ["See", "Do", "Do not"], name
        assert "\n## See\n\n    " in page, f"{name}: its commands are no block"
    index = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((\w+)\.md\)", index)) == PROMISED


def test_the_pages_name_commands_that_exist() -> None:
    for path in RUNBOOKS.glob("*.md"):
        for line in re.findall(r"stackctl ([a-z][^`\n|>]*)", path.read_text(encoding="utf-8")):
            words = re.sub(r"[,.;].*", "", line).split()
            command = APPLICATION
            while words and words[0] in getattr(command, "commands", {}):
                command = command.commands[words.pop(0)]
            assert command is not APPLICATION, f"{path.name}: stackctl {line}"
            known = {option for param in command.params for option in param.opts}
            assert {word for word in words if word.startswith("--")} <= known | {"--json"}, (
                f"{path.name}: stackctl {line}"
            )


def written() -> list[dict[str, Any]]:
    paths = sorted(CASES.glob("*.yml"))
    return [test for path in paths for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]]


def test_each_alert_is_seen_to_fire_and_to_stay_silent() -> None:
    fired: set[tuple[str, str]] = set()
    silent: set[str] = set()
    for case in (case for test in written() for case in test.get("alert_rule_test", [])):
        silent |= set() if case["exp_alerts"] else {case["alertname"]}
        fired |= {(case["alertname"], alert["exp_labels"]["severity"]) for alert in case["exp_alerts"]}
    assert fired == {(rule["alert"], rule["labels"]["severity"]) for rule in alerts()}
    assert silent == PROMISED


def test_the_series_of_the_cases_are_those_of_the_exporters() -> None:
    for test in written():
        for each in test["input_series"]:
            match = re.fullmatch(r"(\w+)\{(.*)\}", each["series"])
            assert match, each["series"]
            given = set(re.findall(r'(\w+)="[^"]+"', match[2]))
            assert given in anywhere(match[1]), f"{test['name']}: {each['series']}: {anywhere(match[1])}"


def expressions(node: Any) -> list[str]:
    """Every query of a dashboard's panels."""
    if isinstance(node, list):
        return [found for each in node for found in expressions(each)]
    if not isinstance(node, dict):
        return []
    own = [node["expr"]] if isinstance(node.get("expr"), str) else []
    return own + [found for each in node.values() for found in expressions(each)]


def plain(expression: str) -> str:
    """A panel's query with something in the place of each of Grafana's variables."""
    durations = re.sub(r"\[\$\{?(__rate_interval|__interval|__range)\}?", "[5m", expression)
    return re.sub(r"\$\{?\w+(:\w+)?\}?", "1", durations)


@pytest.mark.parametrize("path", sorted((ROOT / "dashboards").glob("*.json")), ids=lambda path: path.stem)
def test_every_series_and_label_of_a_dashboard_is_there(path: Any) -> None:
    asked = expressions(json.loads(path.read_text(encoding="utf-8")))
    assert asked
    for expression in asked:
        found = []
        for exporter, major in combinations():
            try:
                result(plain(expression), known(exporter, major))
            except Unknown as error:
                # A panel may be of newer servers; then it says so in its title or description.
                found.append(error)
            except Wrong as error:
                pytest.fail(f"{expression}: {error}")
        assert len(found) < 3 * len(MAJORS), f"{expression}: {found[0]}"
        for series in selected(plain(expression)):
            assert anywhere(series)
