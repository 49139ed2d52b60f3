"""What `--to` may be."""

import pytest

from stackctl.backup.target import target
from stackctl.errors import RestoreRefused


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("latest", {}),
        ("2026-03-01T12:00:00Z", {"recovery_target_time": "2026-03-01 12:00:00.000000+00:00"}),
        ("2026-03-01 12:00:00.5+02:30", {"recovery_target_time": "2026-03-01 09:30:00.500000+00:00"}),
        ("lsn:16/b374d848", {"recovery_target_lsn": "16/B374D848"}),
        ("name:before release", {"recovery_target_name": "before release"}),
    ],
)
def test_a_target_as_the_server_is_told(text, settings):
    assert target(text).settings() == settings


def test_a_time_without_a_zone_names_two_that_it_may_mean():
    with pytest.raises(RestoreRefused, match="no time zone") as refused:
        target("2026-03-01T12:00:00")
    assert "2026-03-01T12:00:00Z is UTC" in refused.value.hint


@pytest.mark.parametrize(
    "text", ["", "yesterday", "12:00", "lsn:", "lsn:12", "name:", "name:" + "x" * 64, "2026-13-01Z"]
)
def test_what_is_no_target(text):
    with pytest.raises(RestoreRefused, match="is no target"):
        target(text)
