"""What holds for all tests.

With CI=true a test of a real program may not be skipped: a green run would then have shown nothing.
"""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # tests run side by side; threads that spin took half of their time
settings.register_profile("headroom", deadline=None)  # a slow machine is not a failure
settings.load_profile("headroom")

pytest_plugins = ["tests.leftovers"]

REAL = ("ray", "browser", "prometheus")
"""Markers of tests whose programs `make test` installs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: item.get_closest_marker("ray") is None)


def is_real(item: pytest.Item) -> bool:
    """Whether a test starts a program that `make test` installs."""
    return any(item.get_closest_marker(name) for name in REAL)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of such a test into a failure that gives the reason."""
    report = yield
    if (
        report.skipped
        and is_real(item)
        and not hasattr(report, "wasxfail")
        and os.environ.get("CI", "").lower() == "true"
    ):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"not to be skipped with CI=true: {reason}"
    return report
