"""A real Chromium before the page of a real server."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Tab:
    """An open page, and everything it complained about or asked for."""

    page: Any
    url: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def hosts_asked(self) -> set[str]:
        """Names of the hosts that were asked for anything."""
        return {
            urlsplit(address).hostname or "" for address in self.asked if not address.startswith(("data:", "blob:"))
        }

    def until_drawn(self) -> "Tab":
        """Wait until the chart stands."""
        self.page.wait_for_selector("html[data-chart]", timeout=30_000)
        self.page.wait_for_selector("#chart *", state="attached")
        return self


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Start one browser for all tests of a module; while it lives no other event loop can run in this thread."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed (apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def open_tab(chromium: Any) -> Iterator[Callable[..., Tab]]:
    """Open pages, each in a context of its own."""
    contexts = []

    def open_one(url: str, path: str = "/", *, width: int = 1480, height: int = 900, **options: Any) -> Tab:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        tab = Tab(context.new_page(), url)
        tab.page.on(
            "console", lambda said: tab.complaints.append(said.text) if said.type in {"error", "warning"} else None
        )
        tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.page.on("request", lambda request: tab.asked.append(request.url))
        tab.page.goto(url + path)
        return tab

    yield open_one
    for context in contexts:
        context.close()
