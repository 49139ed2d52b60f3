"""Options shared by all tests."""

from __future__ import annotations

from collections.abc import Generator

import hypothesis
import pytest

import running_stack

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

# Its outages are waited for: at the end of a run it would keep all other processes waiting too.
_FIRST = "test_object_store.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--golden` rewrites the golden files instead of comparing with them."""
    parser.addoption("--golden", action="store_true", help="rewrite the golden files")
    parser.addoption("--full", action="store_true", help="run the exhaustive matrices too")
    parser.addoption(
        "--postgres", type=int, help="the embedded engine's stacks have this version; it must be installed"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Processes that tests are distributed to have the same options."""
    running_stack.embedded_version = config.getoption("--postgres")


# As tests/e2e/stack names them.
_ENGINES = ("docker", "embedded", "embedded-15")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, object, object]:
    """Leave the exhaustive matrices to `make test-full`; a part of each is in the ordinary run."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    if not config.getoption("--full"):
        full = [item for item in items if _is_full(item)]
        config.hook.pytest_deselected(items=full)
        items[:] = [item for item in items if item not in full]
    result = yield
    _keep_together(items)
    return result


def _keep_together(items: list[pytest.Item]) -> None:
    """Put one group after the other, the one that waits most first, and in each one engine after the other.

    pytest takes the only engine of a test for the first one of the others, and would make each stack several times.
    """
    place: dict[tuple[str, ...], int] = {}
    keys = [((_group(item),), (_group(item), _engine(item))) for item in items]
    for key in (key for pair in keys for key in pair):
        place.setdefault(key, len(place))

    def rank(number: int) -> tuple[bool, list[int]]:
        return items[number].path.name != _FIRST, [place[key] for key in keys[number]]

    order = sorted(range(len(items)), key=rank)
    items[:] = [items[number] for number in order]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to distribute tests one by one: each process would make a stack of its own for those that share one."""
    if getattr(session.config.option, "loadgroup", False) and any("@" not in item.nodeid for item in session.items):
        raise pytest.UsageError("pytest-xdist does not group tests with this version of pytest: see pyproject.toml")


def _is_full(item: pytest.Item) -> bool:
    engines = [engine for marker in item.iter_markers("full_on") for engine in marker.args]
    return item.get_closest_marker("full") is not None or _engine(item) in engines


def _group(item: pytest.Item) -> str:
    """What one process runs from beginning to end: the tests that share a stack, else those of one file."""
    if _engine(item) and "stack" in getattr(item, "fixturenames", ()):
        return f"stack-{_engine(item)}"
    return str(item.path)


def _engine(item: pytest.Item) -> str:
    found = getattr(item, "callspec", None)
    # Its fixture may be called `engine`, or be what runs on it.
    return next((each for each in found.params.values() if each in _ENGINES), "") if found else ""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests measured on their way."""
    reports = [
        report for found in terminalreporter.stats.values() for report in found if getattr(report, "when", "") == "call"
    ]
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == "measured":
                terminalreporter.write_line(f"measured: {value}")
