"""Public tags."""

from pathlib import Path

import pytest

from stackctl.errors import ImageUnavailable
from stackctl.images import public
from stackctl.images.model import Image, Recipe


def test_each_supported_major_has_one_exact_tag() -> None:
    assert {major: public.postgres(major).reference for major in (15, 16, 17, 18)} == {
        15: "postgres:15.19-trixie",
        16: "postgres:16.15-trixie",
        17: "postgres:17.11-trixie",
        18: "postgres:18.6-trixie",
    }


def test_another_major_is_refused_with_the_ones_that_exist() -> None:
    with pytest.raises(ImageUnavailable, match="PostgreSQL 14") as caught:
        public.postgres(14)
    assert caught.value.hint == "use --pg with one of 15, 16, 17, 18"


def test_no_tag_floats() -> None:
    for image in public.images():
        tag = image.reference.rpartition(":")[2]
        assert any(character.isdigit() for character in tag), image.reference
        assert "." in tag, image.reference
        assert image.build is None


def test_the_services_and_the_default_major() -> None:
    services = [image.service for image in public.images()]
    assert services == [
        "postgres",
        "pgbouncer",
        "prometheus",
        "alertmanager",
        "postgres-exporter",
        "grafana",
    ]
    assert public.images()[0].reference == "postgres:18.6-trixie"


def test_the_app_is_built_from_a_public_base() -> None:
    recipe = Recipe(Path("/s/Dockerfile"), Path("/s"), public.APP_BASE)
    assert public.app("stackctl/app:0123456789ab", recipe) == Image(
        "app", "stackctl/app:0123456789ab", "public", recipe
    )


def test_the_data_volume_moved_with_18() -> None:
    assert public.data_mount(17) == "/var/lib/postgresql/data"
    assert public.data_mount(18) == "/var/lib/postgresql"
