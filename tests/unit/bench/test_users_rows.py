"""A user's database on a throwaway server, and what may be done there by who asks it."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stackctl.bench import pgbench
from stackctl.bench.contenders import Contender
from stackctl.bench.instance import CLIENT, Instance
from stackctl.bench.replay import Seen
from stackctl.bench.statements import replayed
from stackctl.engine.embedded.programs import find_server
from stackctl.engine.embedded.rooms import EmbeddedRooms, _folder, _reachable
from stackctl.engine.ownership import give
from stackctl.engine.rooms import Limits
from stackctl.engine.runner import Runner, SystemUser
from stackctl.errors import EngineFailed, Unhealthy
from stackctl.hardware.model import DiskLimit
from stackctl.units import Bytes

ROWS = """
CREATE TABLE tokens (id int PRIMARY KEY, token text);
INSERT INTO tokens VALUES (1, '17'), (2, 'abc123');
CREATE TABLE tenants (id int);
INSERT INTO tenants VALUES (1);
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE TABLE orders (id int);
INSERT INTO orders VALUES (1);
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE ROLE app;
CREATE POLICY of_the_app ON orders TO app USING (true);
CREATE FUNCTION whose() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text'
"""
BY_TOKEN = Seen("SELECT id FROM tokens WHERE token = $1 -- any", 3)
A_NUMBER = Seen("SELECT token::int FROM tokens WHERE token = $1", 2)
NO_NUMBER = Seen("SELECT (token || 'x')::int FROM tokens WHERE token = $1", 1)
A_CHANGE = Seen("WITH gone AS (DELETE FROM tokens RETURNING id) SELECT id FROM gone", 1)


@contextmanager
def a_server() -> Iterator[tuple[EmbeddedRooms, Instance]]:
    """As PostgreSQL refuses to run as root, root has it run as nobody."""
    nobody = pwd.getpwnam("nobody")
    user = SystemUser("nobody", nobody.pw_uid, nobody.pw_gid) if os.geteuid() == 0 else None
    runner = Runner()
    # Not pytest's own directory: only root can enter that one.
    with tempfile.TemporaryDirectory(prefix="bench-rows-") as made:
        base = Path(made)
        give(base, user)
        rooms = EmbeddedRooms(base, _reachable(find_server(runner, 18), base, user), runner, user)
        _folder(rooms.scratch, user)
        room = rooms.room("stock", Limits(Bytes(1), Bytes(1), 1, DiskLimit()))
        instance = Instance(room, Contender("stock", {"fsync": "off"}, {}), 18)
        try:
            instance.make()
            instance.start()
            yield rooms, instance
        finally:
            instance.stop()


@pytest.fixture(scope="module")
def loaded() -> Iterator[tuple[EmbeddedRooms, Instance]]:
    """A server that has a user's rows."""
    with a_server() as (rooms, instance):
        dump = rooms.scratch / "app.dump"
        instance.room.run("createdb", "app")
        instance.room.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "app", input=ROWS)
        instance.room.run("pg_dump", "--format", "custom", "--file", str(dump), "app")
        instance.room.run("dropdb", "app")
        instance.room.run("dropuser", "app")
        instance.load(dump)
        yield rooms, instance


def test_who_asks_a_users_rows_may_read_them_and_no_more(loaded: tuple[EmbeddedRooms, Instance]) -> None:
    """Nor may a function of theirs: there is no administrator among those who own them."""
    _, instance = loaded
    assert instance.session("SELECT current_user, count(*) FROM tokens", role=CLIENT) == "client|2\n"
    assert instance.session("SELECT whose()", role=CLIENT) == "client\n"
    both = "SELECT (SELECT count(*) FROM tenants), (SELECT count(*) FROM orders)"
    seen = [instance.session(both, role=who) for who in (CLIENT, "postgres")]
    assert seen == ["0|1\n", "1|1\n"], "row security holds, as it does for the app"
    with pytest.raises(EngineFailed, match="permission denied to COPY to or from an external program"):
        instance.session("COPY (SELECT 1) TO PROGRAM 'true'", role=CLIENT)


def test_statements_are_asked_with_values_that_the_server_answers(loaded: tuple[EmbeddedRooms, Instance]) -> None:
    rooms, instance = loaded
    found = replayed([BY_TOKEN, A_NUMBER, NO_NUMBER, A_CHANGE], instance)
    assert found.left_out == {
        NO_NUMBER.text: "PostgreSQL refused it, InvalidTextRepresentation (SQLSTATE 22P02)",
        A_CHANGE.text: "PostgreSQL refused it, ReadOnlySqlTransaction (SQLSTATE 25006)",
    }
    assert "token::int FROM tokens WHERE token = ('17'::text)" in found.script
    assert "token::int FROM tokens WHERE token = ('abc123'::text)" not in found.script
    script = rooms.scratch / "script.sql"
    rooms.write(script, found.script)
    how = pgbench.words(
        script, scale=0, clients=1, seconds=1, once=False, prepared=False, log=None, sampling=1, role=CLIENT
    )
    done = rooms.client(instance.room, "pgbench", *how, timeout=60)
    assert (done.returncode, pgbench.told(done.stdout, done.stderr).failed) == (0, 0), done.stderr


def test_the_server_of_a_room_is_known_by_its_folder(loaded: tuple[EmbeddedRooms, Instance]) -> None:
    """It is another user's process where root runs it, and comes back with all that it had."""
    _, instance = loaded
    assert instance.room.usage().memory > 0
    instance.room.kill()
    with pytest.raises(Unhealthy, match="does not run"):
        instance.room.usage()
    instance.start()
    assert instance.session("SELECT count(*) FROM tokens") == "2\n"
