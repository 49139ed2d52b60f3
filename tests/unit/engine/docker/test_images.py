"""Which image each service gets."""

import pytest

from stackctl.engine.docker.images import DEBIAN, PUBLIC, supply
from stackctl.errors import ImageUnavailable
from stackctl.render.stack import SERVICES


def test_public_images_supply_everything():
    found = supply(PUBLIC, 17, SERVICES)
    references = found.references()
    assert set(references) == set(SERVICES)
    assert found.missing == {}
    assert references["postgres"].startswith("postgres:17.")
    assert references["migrate"] == references["app"]
    assert references["app"].startswith("stackctl/app:")
    assert "postgres-exporter" in references["exporter"]


def test_debian_has_no_grafana_and_says_so():
    found = supply(DEBIAN, 17, SERVICES)
    assert set(found.images) == set(SERVICES) - {"grafana"}
    assert list(found.missing) == ["grafana"]
    assert "Grafana" in found.missing["grafana"]
    assert all(image.reference.startswith("stackctl/") for image in found.images.values())


def test_only_wanted_services_are_supplied():
    found = supply(DEBIAN, 17, ("postgres", "app"))
    assert (set(found.images), found.missing) == ({"postgres", "app"}, {})


@pytest.mark.parametrize(("source", "major"), [(DEBIAN, 18), (DEBIAN, 15), (PUBLIC, 14)])
def test_versions_that_cannot_be_had(source, major):
    with pytest.raises(ImageUnavailable) as caught:
        supply(source, major, SERVICES)
    assert caught.value.exit_code == 22


def test_the_app_is_another_image_on_another_base():
    assert supply(PUBLIC, 17, ("app",)).references() != supply(DEBIAN, 17, ("app",)).references()
