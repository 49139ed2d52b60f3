"""Where an embedded stack lives."""

import os
from pathlib import Path

import pytest

from stackctl.engine.embedded.home import home_of, install, settle
from stackctl.engine.project import Project
from stackctl.engine.runner import Runner, SystemUser
from stackctl.errors import ProfileError


def test_for_an_ordinary_user_it_is_below_the_project():
    home = home_of(Project("shop", Path("/srv/shop")), None)
    assert home.root == Path("/srv/shop/.stackctl/embedded")
    assert (home.config, home.secrets) == (Path("/srv/shop/.stackctl/rendered"), Path("/srv/shop/.stackctl/secrets"))
    assert home.run == home.root / "run"
    assert home.data(18) == home.root / "data/18"


def test_for_root_it_is_where_the_account_can_enter():
    home = home_of(Project("shop", Path("/srv/shop")), SystemUser("stackctl", 990, 990))
    assert home.root == Path("/var/lib/stackctl/shop")
    assert home.secrets == Path("/var/lib/stackctl/shop/secrets")


@pytest.mark.parametrize("folder", ["/srv/" + "x" * 90, "/srv/" + "ä" * 45, '/srv/say "hi"'])
def test_a_path_that_no_socket_can_have_gets_a_short_one(folder):
    project = Project("shop", Path(folder))
    run = home_of(project, None).run
    assert run.parent == Path("/tmp")
    assert run.name.startswith(f"stackctl-{os.geteuid()}-")
    assert run == home_of(project, None).run
    assert run != home_of(Project("shop", Path(folder + "2")), None).run
    # the longest name that PostgreSQL puts there still fits into a socket's 107 bytes
    assert len(os.fsencode(run / ".s.PGSQL.65535.lock")) <= 107


def test_the_longest_project_path_that_keeps_its_socket():
    folder = "/" + "x" * (83 - 1 - len("/.stackctl/embedded/run"))
    run = home_of(Project("shop", Path(folder)), None).run
    assert run == Path(folder) / ".stackctl/embedded/run"
    assert len(os.fsencode(run / ".s.PGSQL.65535.lock")) <= 107
    assert home_of(Project("shop", Path(folder + "x")), None).run.parent == Path("/tmp")


def test_folders_are_ours_alone(tmp_path):
    project = Project("shop", tmp_path)
    home = home_of(project, None)
    settle(home, project, Runner())
    for folder in (home.root, *home.folders):
        assert folder.stat().st_mode & 0o777 == 0o700
    settle(home, project, Runner())
    install(home, project, Runner())  # nothing to copy


def test_a_socket_folder_that_others_can_enter_is_refused(tmp_path):
    project = Project("shop", tmp_path)
    home = home_of(project, None)
    settle(home, project, Runner())
    home.run.chmod(0o755)
    with pytest.raises(ProfileError, match="belongs to somebody else"):
        settle(home, project, Runner())
