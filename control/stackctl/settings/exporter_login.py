"""Who may read the exporter, as its `--web.config.file` says it: one user, known by a bcrypt hash of the password."""

from __future__ import annotations

import re

from stackctl.settings.secret import Secret

USER = "prometheus"
_HASH = re.compile(rf"^  {USER}: (\$2b\$[0-9]{{2}}\$[./A-Za-z0-9]{{53}})$", re.MULTILINE)
# The password has 256 bits: no number of rounds is needed to keep it from guessers, and each costs the exporter CPU.
_ROUNDS = 4


def written(password: Secret) -> str:
    """The file for this password; salted, so that no two are alike."""
    import bcrypt

    hashed = bcrypt.hashpw(password.reveal().encode(), bcrypt.gensalt(_ROUNDS)).decode()
    return f"basic_auth_users:\n  {USER}: {hashed}\n"


def fits(text: str, password: Secret) -> bool:
    """Whether the file lets in who has this password."""
    import bcrypt

    found = _HASH.search(text)
    return found is not None and bcrypt.checkpw(password.reveal().encode(), found[1].encode())
