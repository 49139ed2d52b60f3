"""The section `app` of stackctl.yaml: what is read of it, and how each fault is named."""

import pytest

from app.cached_routes import ROUTES
from stackctl.errors import ProfileError
from stackctl.hardware.model import Host, Storage
from stackctl.settings.app_section import REFERENCE_APP, AppSection, from_record
from stackctl.settings.app_values import LISTS
from stackctl.settings.resolve import resolve
from stackctl.units import GIB, Bytes

HOST = Host(Bytes(8 * GIB), 2, Bytes(100 * GIB), Storage.NVME)


def _settings(tmp_path, text):
    (tmp_path / "stackctl.yaml").write_text(text, encoding="utf-8")
    return resolve(tmp_path, {}, (), {}, HOST, default_name="shop", default_postgres=18)


def _app(tmp_path, text):
    return _settings(tmp_path, text).app


def _problems(tmp_path, text):
    with pytest.raises(ProfileError) as caught:
        _settings(tmp_path, text)
    assert caught.value.exit_code == 10
    return [(problem.message, problem.hint) for problem in caught.value.problems]


def test_nothing_given_is_the_reference_app(tmp_path):
    app = _app(tmp_path, "app:\n  statement_timeout: 10s\n")
    assert app == REFERENCE_APP
    assert (app.own, app.migrates, app.separate_metrics, app.health) == (False, True, True, ("/readyz", 300))


def test_all_of_an_own_app(tmp_path):
    app = _app(
        tmp_path,
        """
app:
  image: registry.example:5000/team/shop:1.2
  command: [gunicorn, -w, 4, --reload, on, "shop:create('a b')"]
  directory: srv/shop
  port: 8000
  health_path: /health?deep=1
  health_command: wget -q --spider 'http://127.0.0.1:8000/a b'
  metrics_port: 9000
  metrics_path: /stats
  migrate: flask db upgrade
  user: 1000
  env: {FEATURE_X: on, COUNT: 007, RATE: 1.50, WHEN: 2026-01-02, LIST: "1:30", EMPTY: ""}
pool:
  options: {search_path: "app,public", jit: off}
""",
    )
    assert app == AppSection(
        image="registry.example:5000/team/shop:1.2",
        command=("gunicorn", "-w", "4", "--reload", "on", "shop:create('a b')"),
        directory="srv/shop",
        port=8000,
        health_path="/health?deep=1",
        health_command=("wget", "-q", "--spider", "http://127.0.0.1:8000/a b"),
        metrics_port=9000,
        metrics_path="/stats",
        migrate=("flask", "db", "upgrade"),
        user="1000:1000",
        # As they are written: YAML would make true, 7, 1.5, a date and 90 of them.
        env={"FEATURE_X": "on", "COUNT": "007", "RATE": "1.50", "WHEN": "2026-01-02", "LIST": "1:30", "EMPTY": ""},
        options={"search_path": "app,public", "jit": "off"},
    )
    assert (app.own, app.migrates, app.separate_metrics, app.health) == (True, True, True, ("/health?deep=1", 400))


def test_an_own_app_of_which_little_is_said(tmp_path):
    app = _app(tmp_path, "app: {image: shop}\n")
    # Any answer but a fault of the app's own will do where no page was named.
    assert (app.own, app.migrates, app.separate_metrics, app.health) == (True, False, False, ("/", 500))
    assert not _app(tmp_path, "app: {image: shop, port: 80, metrics_port: 80}\n").separate_metrics


def test_the_reference_app_may_have_variables_and_cached_lists(tmp_path):
    app = _app(tmp_path, "app: {env: {GUNICORN_TIMEOUT: 90}, list_cache: {/tools: 2, /teams: 0.5}}\n")
    assert (app.env, app.list_cache) == ({"GUNICORN_TIMEOUT": "90"}, {"/tools": "2", "/teams": "0.5"})


@pytest.mark.parametrize(
    ("section", "message", "hint"),
    [
        ("image: 'a b'", "app.image: 'a b' is not the name of an image", "docker pull"),
        ("image: --privileged", "app.image: '--privileged' is not the name of an image", "docker pull"),
        ("command: 'sh -c \"x'", "app.command: 'sh -c \"x': no closing quotation", "close the quote"),
        ("command: []", "app.command: names no program", "write a list"),
        ("command: [[a]]", "app.command: is not a single value", "one value"),
        ('command: [a, "b\\nc"]', "app.command: holds a line break", "file"),
        ("image: x\n  port: http", "app.port: 'http' is not a whole number", "1 to 65535"),
        ("image: x\n  port: 70000", "app.port: 70000 is outside 1 to 65535", "1 to 65535"),
        ("image: x\n  health_path: health", "app.health_path: 'health' is not the path", "begin it with /"),
        ("image: x\n  user: root", "app.user: 'root' is not a user's number", "10001:10001"),
        ('image: x\n  user: "0:0"', "app.user: '0:0' is not a user's number", "10001:10001"),
        ("image: x\n  metrics_path: /m", "app.metrics_path: says nothing without app.metrics_port", "port"),
        ("image: x\n  env: {DB_POOL_SIZE: 3}", "app.env.DB_POOL_SIZE: DB_POOL_SIZE is set by stackctl", "contract"),
        ("image: x\n  env: {PGPASSWORD: x}", "app.env.PGPASSWORD: no password is put into", "DB_PASSWORD_FILE"),
        ("image: x\n  env: {A-B: x}", "app.env.A-B: 'A-B' is not the name of a variable", "letters"),
        ("image: x\n  env: {A: [1]}", "app.env.A: is not a single value", "one value"),
        ("image: x\n  env: {A: }", "app.env.A: has no value", "write one"),
        ("image: x\n  env: {A: '''\"'}", "app.env.A: has both kinds of quotes", "file"),
        ("image: x\n  env: {A: say 'no'}", "app.env.A: has both kinds of quotes, or one at an end", "file"),
        ("image: x\n  env: x", "app.env: holds keys of its own", "indent"),
        ("env: {PROMETHEUS_MULTIPROC_DIR: x}", "PROMETHEUS_MULTIPROC_DIR is set by stackctl", "contract"),
        ("image: x\n  list_cache: {/tools: 2}", "app.list_cache./tools: is for the reference app only", "remove"),
        ("list_cache: {tools: 2}", "app.list_cache.tools: 'tools' is not a list of the API", "from /tools"),
        ("list_cache: {/healthz: 2}", "'/healthz' is not a list of the API", "/teams/{team_id}/members"),
        ("list_cache: {/tools: 0}", "'0' is not a number of seconds", "above 0"),
        ("port: 8000", "app.port: is for an app of your own, and none is named", "app.image"),
        ("migrate: [a]", "app.migrate: is for an app of your own, and none is named", "app.command"),
        ("imagee: x", "app.imagee: there is no such key", "did you mean image?"),
    ],
)
def test_a_fault_is_named_by_its_key(tmp_path, section, message, hint):
    ((found, advice),) = _problems(tmp_path, f"app:\n  {section}\n")
    assert found.startswith("stackctl.yaml:")
    assert message in found
    assert hint in advice


def test_options_that_have_another_home(tmp_path):
    problems = _problems(tmp_path, 'pool:\n  options: {statement_timeout: 5s, "a b": 1, jit: "a;b", a..b: 1}\n')
    assert [message.split(": ", 1)[1] for message, _ in problems] == [
        "pool.options.jit: holds a semicolon, which ends a value",
        "pool.options.statement_timeout: has a key of its own",
        "pool.options.a b: 'a b' is not the name of a parameter",
        "pool.options.a..b: 'a..b' is not the name of a parameter",
    ]


def test_the_reference_app_names_its_own_sessions(tmp_path):
    options = "pool: {options: {application_name: shop}}\n"
    ((message, _),) = _problems(tmp_path, options)
    assert message.endswith("pool.options.application_name: is set by the reference app, with the worker's number")
    assert _app(tmp_path, f"app: {{image: x}}\n{options}").options == {"application_name": "shop"}


def test_the_lists_are_those_that_the_app_takes():
    assert LISTS == ROUTES


def test_a_record_comes_back_and_a_damaged_one_is_read_as_far_as_it_goes():
    record = {"image": "shop:1", "command": ["a", "b"], "port": 8000, "health_path": 7, "env": {"A": "b"}, "new": 1}
    assert from_record(record) == AppSection(image="shop:1", command=("a", "b"), port=8000, env={"A": "b"})
    assert from_record(None) == from_record([]) == REFERENCE_APP
