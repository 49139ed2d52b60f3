"""Options shared by all tests."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--golden` rewrites the golden files instead of comparing with them."""
    parser.addoption("--golden", action="store_true", help="rewrite the golden files")
    parser.addoption("--full", action="store_true", help="run the exhaustive matrices too")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the exhaustive matrices to `make test-full`; a part of each is in the ordinary run."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    if config.getoption("--full"):
        return
    full = [item for item in items if _is_full(item)]
    config.hook.pytest_deselected(items=full)
    items[:] = [item for item in items if item not in full]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to distribute tests one by one: each process would make a stack of its own for those that share one."""
    if getattr(session.config.option, "loadgroup", False) and any("@" not in item.nodeid for item in session.items):
        raise pytest.UsageError("pytest-xdist does not group tests with this version of pytest: see pyproject.toml")


def _is_full(item: pytest.Item) -> bool:
    engines = [engine for marker in item.iter_markers("full_on") for engine in marker.args]
    shared = getattr(item, "callspec", None)
    return bool(item.get_closest_marker("full") or (shared is not None and shared.params.get("engine") in engines))


def _group(item: pytest.Item) -> str:
    """What one process runs from beginning to end: the tests that share a stack, else those of one file."""
    shared = getattr(item, "callspec", None)
    if shared is not None and "stack" in getattr(item, "fixturenames", ()):
        return f"stack-{shared.params['engine']}"
    return str(item.path)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests measured on their way."""
    reports = [report for found in terminalreporter.stats.values() for report in found if hasattr(report, "when")]
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == "measured" and report.when == "call":
                terminalreporter.write_line(f"measured: {value}")
