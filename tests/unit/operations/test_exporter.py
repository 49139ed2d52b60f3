"""Where the metrics are served."""

import pytest

from stackctl.errors import UsageError
from stackctl.operations.exporter import address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9188", "127.0.0.1", 9188), ("localhost:1", "localhost", 1), ("[::1]:65535", "::1", 65535)],
)
def test_a_place(text, host, port):
    assert address(text) == (host, port)


@pytest.mark.parametrize("text", ["9188", ":9188", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "::1:9188", "a b:1"])
def test_no_place(text):
    with pytest.raises(UsageError, match="is no place to listen"):
        address(text)
