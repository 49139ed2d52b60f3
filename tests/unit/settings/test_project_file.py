"""stackctl.yaml: its schema, its errors, its example."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from stackctl import assets
from stackctl.errors import ProfileError
from stackctl.settings.layers import Given
from stackctl.settings.pins import APP_PINS, check_pins
from stackctl.settings.project_file import json_schema, load
from stackctl.sizing.catalog import parse_catalog
from stackctl.sizing.model import Pin

EXAMPLE = "config/stackctl.example.yaml"
SCHEMA = "config/stackctl.schema.json"


def _load(tmp_path, text):
    path = tmp_path / "stackctl.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def _uncommented():
    return re.sub(r"^( *)#(?=[a-z])", r"\1", assets.read(EXAMPLE), flags=re.MULTILINE)


def test_keys_and_pins_with_their_places(tmp_path):
    layer = _load(
        tmp_path,
        "name: shop\nprofile:\n  ram: 16G\n  cpus: 4\nports:\n  app: 80\n"
        "postgres:\n  jit: off\n  work_mem: 8MB\npool:\n  size: 3\n  pre_ping: no\n"
        "app:\n  statement_timeout: 30s\n",
    )
    assert {key: (given.text, given.origin) for key, given in layer.keys.items()} == {
        "name": ("shop", "stackctl.yaml:1: name"),
        "ram": ("16G", "stackctl.yaml:3: profile.ram"),
        "cpus": ("4", "stackctl.yaml:4: profile.cpus"),
        "ports.app": ("80", "stackctl.yaml:6: ports.app"),
    }
    assert layer.pins["jit"] == Given("off", "stackctl.yaml", "stackctl.yaml:8: postgres.jit")
    assert {name: given.text for name, given in layer.pins.items()} == {
        "jit": "off",
        "work_mem": "8MB",
        "DB_POOL_SIZE": "3",
        "DB_POOL_PRE_PING": "off",
        "PG_STATEMENT_TIMEOUT": "30s",
    }


def test_a_section_whose_keys_are_all_commented_out_is_fine(tmp_path):
    assert _load(tmp_path, "postgres:\n  #work_mem: 8MB\npool:\n").pins == {}


def test_all_faults_at_once_each_with_line_key_and_hint(tmp_path):
    text = """name: My Shop
name: shop
profile:
  ram: 16
  cpus: 1.5
  storage: sdd
  wrokload: web
  postgres:
ports: 4444
postgres:
  work_mem: [1, 2]
  DB_POOL_SIZE: 3
pool:
  size: 0
ram: 16G
colour: blue
"""
    with pytest.raises(ProfileError) as caught:
        _load(tmp_path, text)
    assert [(problem.message, problem.hint) for problem in caught.value.problems] == [
        (
            "stackctl.yaml:1: name: 'My Shop' is not a project name (a-z, 0-9, - and _, a letter or digit first)",
            "write my-shop, for example",
        ),
        ("stackctl.yaml:2: name: is already given in line 1", "keep one of the two"),
        ("stackctl.yaml:4: profile.ram: '16' is not a size with a unit, such as 16G or 512M", "write 16G"),
        ("stackctl.yaml:5: profile.cpus: '1.5' is not a whole number of CPUs", "round a quota down: write 1"),
        (
            "stackctl.yaml:6: profile.storage: 'sdd' is not one of hdd, ssd, nvme, network",
            "did you mean ssd?",
        ),
        ("stackctl.yaml:7: profile.wrokload: there is no such key", "did you mean workload?"),
        ("stackctl.yaml:8: profile.postgres: has no value", "write one, or remove the line"),
        ("stackctl.yaml:9: ports: holds keys of its own, not a value", "indent its keys below it"),
        ("stackctl.yaml:11: postgres.work_mem: is not a single value", "write one value behind the colon"),
        (
            "stackctl.yaml:12: postgres.DB_POOL_SIZE: is not a parameter of PostgreSQL",
            "write it as pool.size",
        ),
        ("stackctl.yaml:14: pool.size: 0 is outside 1 to 10000", "write a whole number from 1 to 10000"),
        ("stackctl.yaml:15: ram: there is no such key", "did you mean profile.ram?"),
        (
            "stackctl.yaml:16: colour: there is no such key",
            "choose one of name, engine, images, profile, ports, postgres, pool, app, report, backup, alerts",
        ),
    ]
    assert caught.value.exit_code == 10


def test_the_example_is_the_reference_profile(tmp_path):
    layer = _load(tmp_path, assets.read(EXAMPLE))
    given = {key: value.text for key, value in layer.keys.items() if not key.startswith("ports.")}
    assert given == {
        "engine": "auto",
        "ram": "16G",
        "cpus": "4",
        "storage": "ssd",
        "disk": "200G",
        "workload": "web",
        "postgres": "17",
        "app_workers": "4",
        "pooler": "none",
    }
    assert layer.pins == {}


def test_the_example_with_everything_switched_on_is_valid(tmp_path):
    layer = _load(tmp_path, _uncommented())
    assert set(APP_PINS) < set(layer.pins)
    assert {"name", "images"} < set(layer.keys)
    catalog = parse_catalog(17, assets.read("config/postgres/catalog-17.tsv"))
    assert check_pins({name: Pin(pin.text, pin.layer) for name, pin in layer.pins.items()}, catalog) == []


def test_the_example_shows_every_key_of_the_schema():
    shown = yaml.safe_load(_uncommented())
    schema = json_schema()
    assert set(shown) == set(schema["properties"])
    for section in ("profile", "ports", "pool", "app", "backup", "alerts"):
        definition = schema["$defs"][section.capitalize()]
        assert set(shown[section]) == set(definition["properties"])


def test_editors_accept_what_the_loader_accepts():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(_uncommented()), schema)
    jsonschema.validate(yaml.safe_load(assets.read(EXAMPLE)), schema)


@pytest.mark.parametrize(
    "wrong",
    [
        {"colour": "blue"},
        {"profile": {"wrokload": "web"}},
        {"profile": {"ram": 16}},
        {"profile": {"storage": "sdd"}},
        {"profile": {"postgres": 14}},
        {"ports": {"app": 0}},
        {"pool": {"size": 0}},
        {"postgres": {"work_mem": ["1MB"]}},
        {"name": "My Shop"},
        {"backup": {"recovery_window": 14}},
        {"backup": {"minimum": 0}},
    ],
)
def test_editors_refuse_what_the_loader_refuses(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json_schema())


def test_the_schema_file_is_the_generated_one(request):
    path = Path(assets.root()) / SCHEMA
    generated = json.dumps(json_schema(), indent=2) + "\n"
    if request.config.getoption("--golden"):
        path.write_text(generated, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == generated
    assert assets.read(EXAMPLE).startswith(f"# yaml-language-server: $schema={path.name}\n")
