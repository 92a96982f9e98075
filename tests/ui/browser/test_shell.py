"""The page as a whole in a real browser: every tab by address and keyboard, quiet, named, and within the window."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ui.browser.site import MARKS, STICKING_OUT, Site
from ui.desk import TABS

pytestmark = MARKS

#: Ids that stand there twice.
TWICE = """() => { const all = [...document.querySelectorAll("[id]")].map((e) => e.id).filter(Boolean);
    return all.filter((id, place) => all.indexOf(id) !== place); }"""
#: What can be pressed or typed into, and has no name by its label, its words, or its description in a picture.
NAMELESS = """() => [...document.querySelectorAll(
      "button, a[href], input, textarea, select, audio, canvas, [role=button], [role=slider], [role=img], [role=tab]")]
    .filter((e) => e.type !== "hidden" && e.checkVisibility())
    .filter((e) => {
      const by = (e.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id));
      const words = [e.getAttribute("aria-label"), e.getAttribute("title"), e.getAttribute("alt"),
        ...by.map((one) => one && one.textContent), ...[...(e.labels || [])].map((one) => one.textContent),
        e.matches("input, textarea, select") ? "" : e.textContent];
      return !words.some((one) => one && one.trim());
    }).map((e) => e.outerHTML.slice(0, 200))"""
#: Buttons and fields in sight that a finger would miss.
SMALL = """() => [...document.querySelectorAll("main button, main select, main textarea, [role=tab]")]
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 24)
    .map((e) => `${Math.round(e.getBoundingClientRect().height)} ${e.outerHTML.slice(0, 160)}`)"""


def shown(page: Any) -> list[str]:
    """The names of the tabs that are open."""
    return [name for name in TABS if page.locator(f"#tab-{name}").is_visible()]


@pytest.mark.parametrize("name", list(TABS))
def test_an_address_opens_a_tab_and_a_reload_finds_it_again(site: Site, name: str) -> None:
    page = site.open("/" if name == "sing" else f"/?tab={name}")
    page.locator(f"#tab-{name}").wait_for()
    assert shown(page) == [name]
    page.get_by_role("tab", name="History" if name == "sing" else "Sing", exact=True).click()
    page.get_by_role("tab", name=TABS[name], exact=True).click()
    assert (f"tab={name}" in page.url) == (name != "sing")
    page.reload()
    page.locator(f"#tab-{name}").wait_for()
    assert shown(page) == [name]


@pytest.mark.parametrize(
    "address", ["/?tab=ghost", "/?tab=<b>", "/?song=0123456789abcdef", "/?tab=compare&comparison=x"]
)
def test_an_address_of_nothing_is_no_trouble(site: Site, address: str) -> None:
    page = site.open(address)
    page.wait_for_timeout(500)
    assert len(shown(page)) == 1


def test_the_keyboard_alone_opens_every_tab(site: Site) -> None:
    page = site.open()
    page.get_by_role("tab", name="Sing", exact=True).focus()
    seen = []
    for _ in TABS:
        focused = page.evaluate("document.activeElement.innerText.trim()")
        page.keyboard.press("Enter")
        page.get_by_role("tab", name=focused, exact=True, selected=True).wait_for()
        seen.append(focused)
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", focused
        page.keyboard.press("ArrowRight")
        if page.evaluate("document.activeElement.innerText.trim()") == focused:  # a tab list that Tab walks through
            page.keyboard.press("Tab")
    assert seen == list(TABS.values())


@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_is_quiet_named_and_within_the_window(site: Site, width: int, scheme: str) -> None:
    page = site.open(viewport={"width": width, "height": 800}, color_scheme=scheme)
    for name, title in TABS.items():
        page.get_by_role("tab", name=title, exact=True).click()
        page.locator(f"#tab-{name}").wait_for()
        page.wait_for_timeout(700)  # for what a tab asks for when it is opened
        assert page.evaluate(STICKING_OUT, width) == [], name
        assert page.evaluate(TWICE) == [], name
        assert page.evaluate(NAMELESS) == [], name
        assert page.evaluate(SMALL) == [], name
    assert page.locator("main").count() == 1
    assert page.locator("h1").count() == 1 and page.locator("h1").inner_text() == "Choirmaster"
    assert page.title() == "Choirmaster"
    assert page.evaluate("document.documentElement.lang") == "en"


def test_a_screen_reader_is_told_the_name_of_every_field(site: Site) -> None:
    """By the browser's own accessibility tree, which counts what the page's scripts may have got wrong."""
    page = site.open()
    session = page.context.new_cdp_session(page)
    for title in TABS.values():
        page.get_by_role("tab", name=title, exact=True).click()
        page.wait_for_timeout(500)
        tree = session.send("Accessibility.getFullAXTree")["nodes"]
        fields = [
            node for node in tree
            if not node.get("ignored") and node["role"]["value"] in
            ("textbox", "button", "radio", "checkbox", "slider", "spinbutton", "combobox", "link", "tab", "searchbox")
        ]  # fmt: skip
        assert len(fields) > len(TABS)
        nameless = [node["role"]["value"] for node in fields if not node.get("name", {}).get("value", "").strip()]
        assert nameless == [], title
