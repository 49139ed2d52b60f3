"""Trees that root gives to the database's account, which may change them meanwhile."""

import os
from pathlib import Path

import pytest

from stackctl.engine.ownership import give
from stackctl.engine.runner import SystemUser

ACCOUNT = SystemUser("postgres", 999, 999)


@pytest.fixture
def given(monkeypatch):
    """What would have another owner: inodes, in order; and what to do before a name changes hands."""
    found, before = [], {}

    def chown(path, uid, gid, *, dir_fd=None, follow_symlinks=True):
        assert (uid, gid) == (999, 999)
        before.pop(Path(path).name, lambda: None)()
        found.append(os.stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks).st_ino)

    monkeypatch.setattr(os, "chown", chown)
    return found, before


@pytest.fixture
def tree(tmp_path):
    """A folder with one below it, and another with the same names elsewhere."""
    for top in ("data", "etc"):
        (tmp_path / top / "base").mkdir(parents=True)
        (tmp_path / top / "base" / "passwd").touch()
    return tmp_path / "data"


def inode(path):
    return path.lstat().st_ino


def test_all_of_a_tree_is_given_from_below(tree, given):
    (tree / "link").symlink_to(tree.parent / "etc")
    give(tree, ACCOUNT)
    base, there = tree / "base", [inode(path) for path in (tree, *tree.iterdir(), tree / "base" / "passwd")]
    assert sorted(given[0]) == sorted(there)
    assert given[0].index(inode(base / "passwd")) < given[0].index(inode(base))
    assert given[0][-1] == inode(tree)


def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(tree, given):
    """At the moment when what is in it is given."""
    kept = tree.parent / "kept"

    def swap():
        (tree / "base").rename(kept)
        (tree / "base").symlink_to(tree.parent / "etc" / "base")

    given[1]["passwd"] = swap
    give(tree, ACCOUNT)
    assert inode(kept / "passwd") in given[0]
    assert inode(tree.parent / "etc" / "base" / "passwd") not in given[0]


def test_the_top_is_never_what_a_link_leads_to(tree, given):
    link, nowhere = tree.parent / "link", tree.parent / "nowhere"
    link.symlink_to(tree)
    nowhere.symlink_to(tree / "none")
    for path in (link, nowhere):
        give(path, ACCOUNT)
    assert given[0] == [inode(link), inode(nowhere)]


def test_a_file_is_given_and_nobody_is_given_nothing(tree, given):
    give(tree / "base" / "passwd", ACCOUNT)
    give(tree, None)
    assert given[0] == [inode(tree / "base" / "passwd")]
