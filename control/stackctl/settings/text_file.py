"""Reading a file of the project directory, with errors a person can act on."""

from __future__ import annotations

from pathlib import Path

from stackctl.errors import ProfileError


def read_text(path: Path) -> str | None:
    """The text of `path`, None where nothing is there. Raises ProfileError where it is not readable UTF-8."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        if not path.is_symlink():
            return None
        message = f"{path.name}: a link to a file that is not there"
        raise ProfileError(message, hint="mend or remove the link", code="unreadable") from None
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "make it a file that this user can read, or remove it"
        raise ProfileError(f"{path.name}: cannot be read: {reason}", hint=hint, code="unreadable") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{path.name}:{line}: not UTF-8 text"
        raise ProfileError(message, hint="save the file as UTF-8", code="unreadable") from error
