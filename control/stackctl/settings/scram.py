"""SCRAM-SHA-256 verifiers as PostgreSQL stores them, so that no server is ever sent a plain password."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from stackctl.settings.secret import Secret

ITERATIONS = 4096
_VERIFIER = re.compile(r"SCRAM-SHA-256\$4096:([A-Za-z0-9+/]{22}==)\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=")


def verifier(password: Secret, salt: bytes) -> str:
    """What pg_authid.rolpassword holds for `password` (RFC 5802, RFC 7677).

    SASLprep leaves ASCII as it is, so passwords must be ASCII; others raise UnicodeEncodeError.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.reveal().encode("ascii"), salt, ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${ITERATIONS}:{_b64(salt)}${_b64(stored_key)}:{_b64(server_key)}"


def matches(text: str, password: Secret) -> bool:
    """Whether `text` is a whole verifier, made from `password`."""
    found = _VERIFIER.fullmatch(text)
    return found is not None and hmac.compare_digest(text, verifier(password, base64.b64decode(found[1])))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
