"""The archive command on its whole way: template, postgresql.conf, the server's reader, its shell."""

import subprocess

from profiles import changed, sized
from stackctl import assets
from stackctl.engine.embedded.programs import wheel_folder
from stackctl.hardware.model import PORTABLE_BUILD
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


def test_the_numbers_are_those_of_the_profile():
    # 200 GiB: 3/10 in files of 16 MB; a twentieth would be 10 GiB, and 8 GiB are the most, in kB.
    from stackctl.engine.docker.place import place_of
    from stackctl.render.archive import archive_command

    assert archive_command(changed(), place_of(17)) == (
        "sh /etc/stackctl/postgres/archive-wal /var/lib/stackctl/wal %p %f 3840 8388608"
    )
