"""What a bench refuses before it starts anything."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from profiles import sized
from stackctl.errors import UsageError
from stackctl.hardware.model import FULL_BUILD
from stackctl.operations.bench import Asked, _contenders

PREPARED: Any = SimpleNamespace(sizing=sized(), deployment=SimpleNamespace(build=FULL_BUILD))


def named(conf: Path) -> list[str]:
    conf.write_text("work_mem = 8MB\n")
    return [each.name for each in _contenders(PREPARED, Asked(conf=conf))]


@pytest.mark.parametrize("name", ["stock", "stock again", "stackctl", "pgtune", "bare"])
def test_a_file_by_the_name_of_a_peer_would_take_its_place_in_the_result(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"/{name}: {name} is a configuration that bench knows") as refused:
        named(tmp_path / name)
    assert refused.value.hint == f"copy it, and name the copy: --conf {tmp_path / name}.conf"
    assert named(tmp_path / f"{name}.conf") == ["stackctl", f"{name}.conf"]
