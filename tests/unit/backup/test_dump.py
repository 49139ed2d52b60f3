"""What a dump has, by its table of contents."""

import pytest

from stackctl.backup.dump import Part

# As pg_restore --list prints it.
CONTENTS = """;
; Archive created at 2026-03-01 12:00:00 UTC
;
6; 2615 16400 SCHEMA - old Things owner
2; 3079 16390 EXTENSION - pg_stat_statements
217; 1259 16401 TABLE public tools owner
218; 1259 16402 VIEW public tool_names owner
219; 1259 16403 TABLE old Things tools_old owner
3421; 0 16401 TABLE DATA public tools owner
3300; 2606 16410 CONSTRAINT public tools tools_pkey owner
"""


@pytest.mark.parametrize(
    ("part", "there"),
    [
        (Part(), True),
        (Part(table="tools"), True),
        (Part(table="tool_names"), True),
        (Part(table="tool"), False),
        (Part(table="tools_pkey"), False),
        (Part("public", "tools"), True),
        (Part("old Things", "tools_old"), True),
        (Part("old Things", "tools"), False),
        (Part("old Things"), True),
        (Part("old"), False),
        (Part(".*"), False),
    ],
)
def test_a_part_is_there_by_its_whole_name(part, there):
    assert part.listed(CONTENTS) is there
