"""Options shared by all tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--golden` rewrites the golden files instead of comparing with them."""
    parser.addoption("--golden", action="store_true", help="rewrite the golden files")
