"""What holds for all tests.

With CI=true a test of a real program may not be skipped: a green run would then have shown nothing.
"""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

settings.register_profile("headroom", deadline=None)  # a slow machine is not a failure
settings.load_profile("headroom")

REAL = ("ray", "browser", "prometheus")
"""Markers of tests whose programs `make test` installs."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of such a test into a failure that gives the reason."""
    report = yield
    real = any(item.get_closest_marker(name) for name in REAL)
    if report.skipped and real and not hasattr(report, "wasxfail") and os.environ.get("CI", "").lower() == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"not to be skipped with CI=true: {reason}"
    return report
