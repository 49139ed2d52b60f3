"""Log files of services."""

from stackctl.engine.logs import tail_files


def test_the_last_lines_of_one_file(tmp_path):
    log = tmp_path / "app.log"
    log.write_bytes(b"one\ntwo \xff\nthree")
    assert list(tail_files([log], 2)) == ["two \ufffd", "three"]


def test_with_more_files_each_line_names_its_service(tmp_path):
    for name in ("app", "postgres"):
        (tmp_path / f"{name}.log").write_text(f"{name} 1\n{name} 2\n")
    files = [tmp_path / "app.log", tmp_path / "gone.log", tmp_path / "postgres.log"]
    assert list(tail_files(files, 1)) == ["app | app 2", "postgres | postgres 2"]
