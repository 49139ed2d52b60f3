"""SCRAM verifiers, held against the example exchange of RFC 7677 section 3."""

import base64
import hashlib
import hmac

import pytest
from psycopg import pq

from stackctl.settings import scram
from stackctl.settings.secret import Secret

SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
AUTH_MESSAGE = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s={SALT},i=4096,c=biws,r={NONCE}".encode()
CLIENT_PROOF = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
SERVER_SIGNATURE = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.fixture
def keys():
    text = scram.verifier(Secret("pencil"), base64.b64decode(SALT))
    head, pair = text.rsplit("$", 1)
    assert head == f"SCRAM-SHA-256$4096:{SALT}"
    stored_key, server_key = pair.split(":")
    return base64.b64decode(stored_key), base64.b64decode(server_key)


def test_the_server_key_signs_as_in_the_rfc(keys):
    signature = hmac.digest(keys[1], AUTH_MESSAGE, "sha256")
    assert base64.b64encode(signature).decode() == SERVER_SIGNATURE


def test_the_stored_key_accepts_the_proof_of_the_rfc(keys):
    signature = hmac.digest(keys[0], AUTH_MESSAGE, "sha256")
    client_key = bytes(a ^ b for a, b in zip(base64.b64decode(CLIENT_PROOF), signature, strict=True))
    assert hashlib.sha256(client_key).digest() == keys[0]


def test_a_verifier_matches_its_password_only():
    text = scram.verifier(Secret("pencil"), b"0123456789abcdef")
    assert scram.matches(text, Secret("pencil"))
    assert not scram.matches(text, Secret("Pencil"))
    assert not scram.matches(text[:-4], Secret("pencil"))
    assert not scram.matches("", Secret("pencil"))


def test_a_password_that_saslprep_would_change_is_refused():
    with pytest.raises(UnicodeEncodeError):
        scram.verifier(Secret("é"), b"0123456789abcdef")


def test_libpq_makes_the_same_verifier():
    connection = pq.PGconn.connect_start(b"host=127.0.0.1 port=1")
    text = connection.encrypt_password(b"xK9-_secret", b"app", b"scram-sha-256").decode()
    connection.finish()
    assert scram.matches(text, Secret("xK9-_secret"))
