"""The archive command on its whole way: template, postgresql.conf, the server's reader, its shell."""

import subprocess
from dataclasses import replace

from profiles import changed, sized
from stackctl import assets
from stackctl.engine.embedded.programs import wheel_folder
from stackctl.hardware.model import PORTABLE_BUILD, Backlog
from stacks import by_path, embedded_files

NAME = "000000010000000000000001"


def test_a_segment_comes_to_the_archive_below_a_folder_of_any_name(tmp_path):
    home = tmp_path / "it's 50% #1 %p ;x $HOME/K\u00e4se"
    (home / "rendered" / "postgres").mkdir(parents=True)
    script = assets.root() / "config" / "postgres" / "archive-wal"
    (home / "rendered" / "postgres" / "archive-wal").write_bytes(script.read_bytes())
    conf = tmp_path / "conf"
    conf.mkdir()
    text = by_path(embedded_files(sized(changed(postgres=18), PORTABLE_BUILD), home))["postgres/postgresql.conf"]
    (conf / "postgresql.conf").write_text(text)
    ask = [str(wheel_folder() / "postgres"), "-C", "archive_command", "-D", str(conf)]
    read = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.removesuffix("\n")
    (conf / "pg_wal").mkdir()
    (conf / "pg_wal" / NAME).write_bytes(bytes(24) + (42).to_bytes(8, "little") + bytes(2**24 - 32))
    # As the server does it: %% is one of them, %p the path, %f the name.
    parts = [part.replace("%p", f"pg_wal/{NAME}").replace("%f", NAME) for part in read.split("%%")]
    subprocess.run(["sh", "-c", "%".join(parts)], cwd=conf, check=True)
    (archived,) = (home.with_name(f"{home.name}.backups") / "wal" / "42").glob(f"{NAME}-*")
    assert archived.stat().st_size == 2**24


def test_what_is_to_be_kept_is_never_given_up():
    """More files than any disk holds, and no room that must stay free."""
    from stackctl.engine.docker.place import place_of
    from stackctl.render import receiver
    from stackctl.render.archive import archive_command

    keep = replace(changed(), backlog=Backlog.KEEP)
    assert archive_command(keep, place_of(17)).endswith(" %p %f 1000000000 0")
    assert receiver.command(keep, place_of(17))[-1] == "1000000000"
    reason = next(each.why for each in sized(keep).parameters if each.name == "archive_mode")
    assert "until the disk is full" in reason


def test_the_numbers_are_those_of_the_profile():
    # 200 GiB: 3/10 in files of 16 MB; a twentieth would be 10 GiB, and 8 GiB are the most, in kB.
    from stackctl.engine.docker.place import place_of
    from stackctl.render.archive import archive_command

    assert archive_command(changed(), place_of(17)) == (
        "sh /etc/stackctl/postgres/archive-wal /var/lib/stackctl/wal %p %f 3840 8388608"
    )
