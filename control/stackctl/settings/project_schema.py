"""The schema of stackctl.yaml. Every value comes out as text, to be read like a flag's or a variable's."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from stackctl.hardware.model import POSTGRES_MAJORS, Backlog, Pooler, Storage, Wal, Workload
from stackctl.settings import alerts, app_values, backup, pgbackrest, pins, values

_SIZE = {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*[KMGTkmgt]([iI]?[bB])?\s*$"}
_RATE = {"type": "string", "pattern": _SIZE["pattern"].removesuffix(r"\s*$") + r"(/s)?\s*$"}
_FEATURE = f"({'|'.join(values.BUILD_FEATURES)})"
_BUILD = {"type": "string", "pattern": rf"^\s*(/.*|full|portable|{_FEATURE}(\s*,\s*{_FEATURE})*)\s*$"}
_NAME = {"type": "string", "pattern": values.NAME_PATTERN}
_TEXT = {"type": "string"}
_COMPRESSION = {"enum": list(pgbackrest.COMPRESSIONS)}
_SEVERITY = {"enum": list(alerts.SEVERITIES)}
_SEVERITIES = {"oneOf": [{"type": "string"}, {"type": "array", "items": _SEVERITY, "minItems": 1}]}
_WINDOW = {"type": "string", "pattern": backup.WINDOW_PATTERN}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str | int):
        return str(value)
    if value is None:
        raise values.Fault("has no value", "write one, or remove the line")
    raise values.Fault("is not a single value", "write one value behind the colon")


def _line(value: object) -> str:
    """A command line, of one text or of a list of words."""
    return shlex.join(_text(word) for word in value) if isinstance(value, list) else _text(value)


class _Key:
    """Annotation of a key: how its text is checked, and what an editor is told about it."""

    def __init__(
        self,
        check: Callable[[str], object],
        schema: dict[str, Any],
        description: str = "",
        text: Callable[[object], str] = _text,
    ) -> None:
        self._check = check
        self._text = text
        self._schema = schema | ({"description": description} if description else {})

    def _read(self, value: object) -> str:
        text = self._text(value)
        self._check(text)
        return text

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: object) -> dict[str, Any]:
        return dict(self._schema)


def _words(value: object) -> str:
    """Words with commas between them, of one text or of a list."""
    return ", ".join(_text(word) for word in value) if isinstance(value, list) else _text(value)


def _whole(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


def _pin(key: str, description: str) -> _Key:
    name = pins.PIN_KEYS[key]
    schema: dict[str, Any] = {"type": "boolean"}
    if name in pins.TIMES:
        schema = {"type": ["string", "integer"]}
    elif name == pins.REPORT_WORK_MEM:
        schema = {"type": "string"}
    elif name in pins.SPANS:
        schema = _whole(pins.SPANS[name].low, pins.SPANS[name].high)
    return _Key(lambda text: pins.app_value(name, text), schema, description)


def _command(description: str) -> _Key:
    words = {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1}
    return _Key(app_values.command, {"oneOf": [{"type": "string"}, words]}, description, _line)


def _pattern(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern}


def _parameter(name: str) -> str:
    for key, pin in pins.PIN_KEYS.items():
        if name == pin:
            raise values.Fault("is not a parameter of PostgreSQL", f"write it as {key}")
    return name


Port = Annotated[str, _Key(values.port, _whole(1, 65_535))]
Value = Annotated[str, _Key(str, {"type": ["string", "number", "boolean"]})]
Parameter = Annotated[str, AfterValidator(_parameter)]
QuestionName = Annotated[str, AfterValidator(backup.question_name)]
JobName = Annotated[str, AfterValidator(backup.job)]
Cron = Annotated[str, _Key(backup.cron_expression, {"type": "string"})]
ReceiverName = Annotated[str, AfterValidator(alerts.receiver_name)]
Question = Annotated[str, _Key(backup.question, {"type": "string"})]


class Section(BaseModel):
    """A mapping whose keys are all known."""

    model_config = ConfigDict(extra="forbid")


class Profile(Section):
    """The machine and its purpose; what is left out is detected."""

    ram: Annotated[str, _Key(values.ram, _SIZE, "Memory of the whole machine: 16G")] = ""
    cpus: Annotated[str, _Key(values.cpus, _whole(1, 1024), "Whole CPUs")] = ""
    storage: Annotated[str, _Key(values.storage, {"enum": list(Storage)}, "Kind of disk under the data")] = ""
    disk: Annotated[str, _Key(values.disk, _SIZE, "Size of that disk: 200G")] = ""
    workload: Annotated[str, _Key(values.workload, {"enum": list(Workload)}, "What it mostly does")] = ""
    postgres: Annotated[str, _Key(values.postgres, {"enum": list(POSTGRES_MAJORS)}, "Major version")] = ""
    app_workers: Annotated[str, _Key(values.app_workers, _whole(1, 256), "Worker processes of the app")] = ""
    pooler: Annotated[str, _Key(values.pooler, {"enum": list(Pooler)}, "Connection pooler")] = ""
    wal_rate: Annotated[str, _Key(values.wal_rate, _RATE, "WAL written in a busy second: 5M")] = ""
    disk_limit: Annotated[str, _Key(values.disk_limit, _TEXT, "Rehearse a disk: iops=3000,mbps=125")] = ""
    build: Annotated[str, _Key(values.build, _BUILD, "Features of the server: lz4,zstd")] = ""


class Ports(Section):
    """Ports on loopback."""

    app: Port = ""
    metrics: Port = ""
    postgres: Port = ""
    pgbouncer: Port = ""
    exporter: Port = ""
    observer: Port = ""
    prometheus: Port = ""
    alertmanager: Port = ""
    grafana: Port = ""


class Pool(Section):
    """The app's connections; sizes are per worker, times in seconds."""

    size: Annotated[str, _pin("pool.size", "Connections that each worker keeps")] = ""
    max_overflow: Annotated[str, _pin("pool.max_overflow", "Connections beyond them in a burst")] = ""
    timeout: Annotated[str, _pin("pool.timeout", "How long a request waits for a connection")] = ""
    recycle: Annotated[str, _pin("pool.recycle", "Age at which a connection is replaced")] = ""
    pre_ping: Annotated[str, _pin("pool.pre_ping", "Test a connection before it is used")] = ""
    connect_timeout: Annotated[str, _pin("pool.connect_timeout", "Limit for making a connection")] = ""
    keepalives_idle: Annotated[str, _pin("pool.keepalives_idle", "Idle time before TCP asks")] = ""
    prepared_statements: Annotated[str, _pin("pool.prepared_statements", "Kept per connection; 0: none")] = ""
    options: dict[str, Value] | None = Field(None, description="PostgreSQL's parameters for the app's sessions")


class App(Section):
    """The application: the reference app, or your own in its place."""

    statement_timeout: Annotated[str, _pin("app.statement_timeout", "30s, or milliseconds; 0: none")] = ""
    image: Annotated[str, _Key(app_values.image, _pattern(app_values.IMAGE_PATTERN), "Docker: your app's image")] = ""
    command: Annotated[str, _command("What runs; with Docker in the place of the image's command")] = ""
    directory: Annotated[str, _Key(app_values.directory, {"type": "string"}, "Embedded: working directory")] = ""
    port: Annotated[str, _Key(values.port, _whole(1, 65_535), "Where your app listens")] = ""
    health_path: Annotated[str, _Key(app_values.url_path, _pattern(app_values.PATH_PATTERN), "Health page")] = ""
    health_command: Annotated[str, _command("Docker: health check of an image without Python")] = ""
    metrics_port: Annotated[str, _Key(values.port, _whole(1, 65_535), "Where Prometheus finds metrics")] = ""
    metrics_path: Annotated[str, _Key(app_values.url_path, _pattern(app_values.PATH_PATTERN), "Their page")] = ""
    migrate: Annotated[str, _command("Run as the owner before the app starts")] = ""
    user: Annotated[str, _Key(app_values.user, _pattern(app_values.USER_PATTERN), "Docker: user and group")] = ""
    env: dict[str, Value] | None = Field(None, description="Further variables of the app")
    list_cache: dict[str, Value] | None = Field(None, description="Reference app: seconds by route")


class Report(Section):
    """The role `report`: long reads beside the app."""

    connections: Annotated[str, _pin("report.connections", "Its sessions at once; 0: none")] = ""
    work_mem: Annotated[str, _pin("report.work_mem", "Memory of each of its operations: 128MB")] = ""
    statement_timeout: Annotated[str, _pin("report.statement_timeout", "10min, or milliseconds; 0: none")] = ""


class Backup(Section):
    """Where backups are, and how long they stay."""

    repository: Annotated[str, _Key(backup.repository, _TEXT, "Folder, or s3://bucket/prefix")] = ""
    engine: Annotated[str, _Key(pgbackrest.engine, {"enum": list(pgbackrest.ENGINES)}, "What takes them")] = ""
    encryption: Annotated[str, _Key(pgbackrest.switch, {"type": "boolean"}, "Encrypt the repository")] = ""
    compression: Annotated[str, _Key(pgbackrest.compression, _COMPRESSION, "How pgbackrest compresses")] = ""
    endpoint: Annotated[str, _Key(pgbackrest.endpoint, _TEXT, "Host of the object store: HOST:PORT")] = ""
    region: Annotated[str, _Key(pgbackrest.word, _TEXT, "Region of the bucket")] = ""
    account: Annotated[str, _Key(pgbackrest.word, _TEXT, "Account of an Azure store")] = ""
    ca_file: Annotated[str, _Key(pgbackrest.file_path, _TEXT, "Certificates that the store is trusted by")] = ""
    key_file: Annotated[str, _Key(pgbackrest.file_path, _TEXT, "File with the key of the store")] = ""
    secret_file: Annotated[str, _Key(pgbackrest.file_path, _TEXT, "File with the secret of that key")] = ""
    recovery_window: Annotated[str, _Key(backup.window, _WINDOW, "Recovery reaches back so far: 14d")] = ""
    redundancy: Annotated[str, _Key(backup.at_least_one, _whole(1, backup.MOST), "Full backups at least")] = ""
    minimum: Annotated[str, _Key(backup.at_least_one, _whole(1, backup.MOST), "Never fewer good ones")] = ""
    weekly: Annotated[str, _Key(backup.none_or_more, _whole(0, backup.MOST), "Weeks of which one stays")] = ""
    monthly: Annotated[str, _Key(backup.none_or_more, _whole(0, backup.MOST), "Months of which one stays")] = ""
    pace: Annotated[str, _Key(backup.pace, {"enum": list(backup.PACES)}, "gentle gives way to the app")] = ""
    scheduler: Annotated[str, _Key(backup.scheduler, {"enum": list(backup.SCHEDULERS)}, "What runs it")] = ""
    wal: Annotated[str, _Key(backup.wal, {"enum": list(Wal)}, "How WAL leaves the server")] = ""
    backlog: Annotated[str, _Key(backup.backlog, {"enum": list(Backlog)}, "WAL that would fill the disk")] = ""
    schedule: dict[JobName, Cron] | None = Field(None, description="full: 15 2 * * *")
    drill_sql: dict[QuestionName, Question] | None = Field(None, description="Queries that must be true")


class AlertReceiver(Section):
    """Who is told of alerts: a webhook, an address of e-mail, or a channel of Slack."""

    kind: Annotated[str, _Key(alerts.kind, {"enum": list(alerts.KINDS)}, "How it is told")]
    severities: Annotated[str, _Key(alerts.severities, _SEVERITIES, "critical, warning", _words)] = ""
    resolved: Annotated[str, _Key(alerts.switch, {"type": "boolean"}, "Tell also when it is over")] = ""
    url_file: Annotated[str, _Key(alerts.secret_file, _TEXT, "webhook, slack: file with the URL")] = ""
    token_file: Annotated[str, _Key(alerts.secret_file, _TEXT, "webhook: file with the bearer token")] = ""
    channel: Annotated[str, _Key(alerts.channel, _TEXT, "slack: channel in place of the URL's own")] = ""
    to: Annotated[str, _Key(alerts.addresses, _TEXT, "email: who gets it")] = ""
    sender: Annotated[str, _Key(alerts.addresses, _TEXT, "email: who it is from")] = ""
    server: Annotated[str, _Key(alerts.server, _TEXT, "email: mail server, HOST:PORT")] = ""
    username: Annotated[str, _Key(alerts.username, _TEXT, "email: account at the mail server")] = ""
    password_file: Annotated[str, _Key(alerts.secret_file, _TEXT, "email: file with its password")] = ""
    tls: Annotated[str, _Key(alerts.switch, {"type": "boolean"}, "email: insist on TLS")] = ""
    ca_file: Annotated[str, _Key(alerts.secret_file, _TEXT, "Certificates that the other side is trusted by")] = ""

    @model_validator(mode="after")
    def _together(self) -> AlertReceiver:
        alerts.check_company(self.model_dump(exclude_unset=True))
        return self


class Alerts(Section):
    """Who is told of alerts."""

    repeat: Annotated[str, _Key(alerts.repeat, _pattern(alerts.REPEAT_PATTERN), "Told again after: 4h")] = ""
    runbooks_url: Annotated[str, _Key(alerts.runbooks, _pattern(r"^\s*https?://"), "Folder that runbooks are in")] = ""
    receivers: dict[ReceiverName, AlertReceiver] | None = Field(None, description="Receivers by name")


class ProjectFile(Section):
    """stackctl.yaml: the settings of one project."""

    name: Annotated[str, _Key(values.name, _NAME, "Name of the project")] = ""
    engine: Annotated[str, _Key(values.engine, {"enum": list(values.ENGINES)}, "What runs the stack")] = ""
    images: Annotated[str, _Key(values.images, {"enum": list(values.IMAGES)}, "Where images come from")] = ""
    profile: Profile | None = None
    ports: Ports | None = None
    postgres: dict[Parameter, Value] | None = Field(None, description="Pins of any PostgreSQL parameter")
    pool: Pool | None = None
    app: App | None = None
    report: Report | None = None
    backup: Backup | None = None
    alerts: Alerts | None = None
