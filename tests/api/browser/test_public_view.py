"""What a browser without a token sees where a part is public: a whole page, in which nothing leads to a refusal."""

from typing import Any

import pytest

from tests.api.browser.test_dashboard import VIEWS
from tests.api.test_access import SECRETS, TOKENS

pytestmark = pytest.mark.browser


@pytest.fixture
def url(world: Any, serve: Any) -> str:
    return serve(world.app(tokens=TOKENS, public=True))


@pytest.mark.parametrize("name", VIEWS)
def test_it_is_drawn_whole_and_every_link_leads_somewhere(url: str, open_tab: Any, name: str, tmp_path: Any) -> None:
    tab = open_tab(url, **VIEWS[name]).until_drawn()
    tab.page.wait_for_timeout(300)
    (tmp_path / f"public-{name}.png").write_bytes(tab.page.screenshot(full_page=True))
    assert tab.complaints == []  # a request that is refused would be one
    assert tab.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert "This is what everybody may see" in tab.page.locator("#public").inner_text()
    assert tab.page.locator("form[method=post]").count() == 0
    links = set(tab.page.locator("a[href^='/']").evaluate_all("links => links.map(link => link.href)"))
    assert len(links) > 5
    assert {tab.page.request.get(link).status for link in links} == {200}


def test_signing_in_shows_all(url: str, open_tab: Any) -> None:
    tab = open_tab(url).until_drawn()
    assert "moderation" not in tab.page.content()
    tab.page.click("#public a")
    tab.page.fill("input[name=token]", SECRETS["viewer"])
    tab.page.click("button")
    tab.page.wait_for_selector("html[data-chart]")
    assert "moderation" in tab.page.content()
    assert tab.page.locator("#public").count() == 0
    assert tab.complaints == []
