"""What opens a repository of pgBackRest, as files that the database's container reads."""

import stat

import pytest

from stackctl.errors import ProfileError
from stackctl.settings.pgbackrest import PgBackRest, Remote
from stackctl.settings.repository_keys import held_keys, keep_passphrase, put_keys, remove_keys, wanted_keys
from stackctl.settings.vault import Vault

S3, AZURE, GCS = (Remote(kind, "shop", "/") for kind in ("s3", "azure", "gcs"))
OPTIONS = {"key_file": "key", "secret_file": "secret"}


class Place:
    """A project with the files that its section names."""

    def __init__(self, folder):
        self.folder = folder
        self.keys = folder / ".stackctl" / "repository"
        self.vault = Vault(folder / ".stackctl" / "secrets")
        self.vault.ensure()
        (folder / "key").write_text("AKEXAMPLE\n")
        (folder / "secret").write_text("  of-the-store\n")

    def ensure(self, chosen):
        kept = keep_passphrase(self.keys, self.vault)
        made = self.vault.ensure_passphrase(new=True) if chosen.encryption else ()
        return (*kept, *made, *put_keys(self.keys, wanted_keys(self.vault, chosen, self.folder)))

    def passphrases(self):
        return {path.name: path.read_text() for path in self.vault.directory.glob("repository_passphrase*")}

    def files(self):
        return {path.name: path.read_text() for path in self.keys.iterdir()}


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("chosen", "files"),
    [
        (PgBackRest(), {"keys.conf": "[global]\n"}),
        (
            PgBackRest(S3, options=OPTIONS),
            {"keys.conf": "[global]\nrepo1-s3-key=AKEXAMPLE\nrepo1-s3-key-secret=of-the-store\n"},
        ),
        (
            PgBackRest(AZURE, options={"key_file": "key", "account": "shop"}),
            {"keys.conf": "[global]\nrepo1-azure-key=AKEXAMPLE\n"},
        ),
        (
            PgBackRest(GCS, options={"key_file": "key"}),
            {"keys.conf": "[global]\n", "service-key.json": "AKEXAMPLE\n"},
        ),
        (
            PgBackRest(AZURE, options={"key_file": "key", "ca_file": "secret"}),
            {"keys.conf": "[global]\nrepo1-azure-key=AKEXAMPLE\n", "ca.crt": "  of-the-store\n"},
        ),
    ],
)
def test_each_store_gets_what_pgbackrest_reads(place, chosen, files):
    assert set(place.ensure(chosen)) == set(files)
    assert place.files() == files


def test_the_passphrase_is_made_once_and_kept(place):
    assert place.ensure(PgBackRest(encryption=True)) == ("repository_passphrase", "keys.conf")
    passphrase = (place.vault.directory / "repository_passphrase").read_text().strip()
    assert len(passphrase) == 43
    assert place.files() == {"keys.conf": f"[global]\nrepo1-cipher-pass={passphrase}\n"}
    (place.keys / "keys.conf").unlink()
    assert place.ensure(PgBackRest(encryption=True)) == ("keys.conf",)
    assert place.files() == {"keys.conf": f"[global]\nrepo1-cipher-pass={passphrase}\n"}


def test_the_container_reads_them_and_nobody_writes_them(place):
    place.ensure(PgBackRest(S3, options={**OPTIONS, "ca_file": "key"}))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (place.keys, *place.keys.iterdir())}
    assert modes == {"repository": 0o755, "keys.conf": 0o444, "ca.crt": 0o444}


def test_nothing_changes_where_nothing_changed(place):
    chosen = PgBackRest(S3, encryption=True, options={**OPTIONS, "ca_file": "key"})
    place.ensure(chosen)
    before = {path.name: path.stat().st_ino for path in place.keys.iterdir()}
    assert place.ensure(chosen) == ()
    assert {path.name: path.stat().st_ino for path in place.keys.iterdir()} == before


def test_a_new_key_takes_the_place_of_the_old_one_in_the_same_folder(place):
    """The container has the folder mounted, so that it must stay, and nobody may read half a file."""
    chosen = PgBackRest(S3, options=OPTIONS)
    place.ensure(chosen)
    folder, file = place.keys.stat().st_ino, (place.keys / "keys.conf").stat().st_ino
    (place.folder / "secret").write_text("another")
    with (place.keys / "keys.conf").open() as old:
        assert place.ensure(chosen) == ("keys.conf",)
        assert "of-the-store" in old.read()
    assert "repo1-s3-key-secret=another\n" in place.files()["keys.conf"]
    assert (place.keys.stat().st_ino == folder, (place.keys / "keys.conf").stat().st_ino == file) == (True, False)


def test_what_is_named_no_more_is_removed(place):
    """A key of a store that was left, and what an interrupted run was writing."""
    place.ensure(PgBackRest(GCS, options={"key_file": "key", "ca_file": "secret"}))
    (place.keys / ".keys.conf.0123456789abcdef").write_text("half")
    assert place.ensure(PgBackRest()) == ()
    assert place.files() == {"keys.conf": "[global]\n"}


@pytest.mark.parametrize("content", [b"", b"\n", b"AKEX\nrepo1-path=/\n", b"AKEX\x00", b"\xff\xfe", b"AKEX\xc3\xa9"])
def test_a_key_is_one_line_and_cannot_set_anything_else(place, content):
    (place.folder / "secret").write_bytes(content)
    with pytest.raises(ProfileError) as caught:
        place.ensure(PgBackRest(S3, options=OPTIONS))
    assert str(caught.value).startswith(f"backup.secret_file: {place.folder / 'secret'}: ")
    assert "AKEX" not in str(caught.value)
    assert not place.keys.exists()


@pytest.mark.parametrize("name", ["missing", "."])
@pytest.mark.parametrize("key", ["key_file", "secret_file", "ca_file"])
def test_a_file_that_cannot_be_read_is_named_with_its_key_and_nothing_is_written(place, key, name):
    with pytest.raises(ProfileError) as caught:
        place.ensure(PgBackRest(S3, options={**OPTIONS, "ca_file": "key", key: name}))
    assert str(caught.value).startswith(f"backup.{key}: {place.folder / name}: ")
    assert (caught.value.exit_code, caught.value.problems[0].code) == (10, "bad_value")
    assert not place.keys.exists()


def test_keys_stay_as_they_were_where_a_new_one_cannot_be_read(place):
    chosen = PgBackRest(S3, options=OPTIONS)
    place.ensure(chosen)
    before = place.files()
    (place.folder / "secret").unlink()
    with pytest.raises(ProfileError, match="No such file"):
        place.ensure(chosen)
    assert place.files() == before


PASSPHRASE = "repository_passphrase"


def test_a_passphrase_that_was_lost_comes_back_from_where_it_is_used(place):
    """A new one would open nothing, and take the place of the last copy."""
    place.ensure(PgBackRest(encryption=True))
    before = place.passphrases()
    (place.vault.directory / PASSPHRASE).unlink()
    assert place.ensure(PgBackRest(encryption=True)) == (PASSPHRASE,)
    assert place.passphrases() == before


def test_a_passphrase_that_another_one_takes_the_place_of_stays_beside_it(place):
    """As where somebody put back one that was lost after a new one had been made."""
    place.ensure(PgBackRest(encryption=True))
    (old,) = place.passphrases().values()
    (place.vault.directory / PASSPHRASE).unlink()
    (place.vault.directory / PASSPHRASE).write_text("o" * 43)
    made = place.ensure(PgBackRest(encryption=True))
    assert made[-1] == "keys.conf"
    assert sorted(place.passphrases().values()) == sorted([old, "o" * 43])
    assert place.files()["keys.conf"].endswith(f"cipher-pass={'o' * 43}\n")
    assert place.ensure(PgBackRest(encryption=True)) == ()


def test_a_passphrase_survives_the_end_of_encryption(place):
    place.ensure(PgBackRest(encryption=True))
    before = place.passphrases()
    (place.vault.directory / PASSPHRASE).unlink()
    place.ensure(PgBackRest())
    assert place.passphrases() == before


def test_none_is_made_where_something_may_be_encrypted_by_the_one_that_is_gone(place):
    with pytest.raises(ProfileError, match=f"secret {PASSPHRASE}: its file is gone") as caught:
        place.vault.ensure_passphrase(new=False)
    assert caught.value.exit_code == 10
    assert place.passphrases() == {}


def test_what_was_there_is_there_again(place):
    chosen = PgBackRest(GCS, options={"key_file": "key", "ca_file": "secret"})
    place.ensure(chosen)
    held, files = held_keys(place.keys), place.files()
    place.ensure(PgBackRest(S3, options=OPTIONS))
    put_keys(place.keys, held)
    assert place.files() == files
    remove_keys(place.keys)
    assert (held_keys(place.keys), place.keys.exists()) == (None, False)
