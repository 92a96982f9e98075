"""The page as a whole in a real browser: every tab by address and keyboard, quiet, named, and within the window."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ui.browser.site import MARKS, STICKING_OUT, Site, fill, sing
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
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 32)
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


#: Whether the selected tab is in sight, in how many rows tabs stand, and whether their line says where there is more.
TAB_LINE = """() => { const line = document.querySelector("#tabs [role=tablist]");
    const [tabs, room] = [[...line.children].filter((e) => e.role === "tab"), line.getBoundingClientRect()];
    const open = tabs.find((e) => e.ariaSelected === "true").getBoundingClientRect();
    const cut = line.scrollWidth > line.clientWidth + 2;
    const inSight = open.left >= room.left - 1 && open.right <= room.right + 1;
    return { inSight, cut, marked: Boolean(line.dataset.more),
      rows: new Set(tabs.map((e) => Math.round(e.getBoundingClientRect().top))).size }; }"""
#: Boxes in sight that scroll sideways, and what is missing: a name, a place in the order of Tab, or the mark of more.
UNMARKED = """() => [...document.querySelectorAll("main *")]
    .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 2)
    .filter((e) => ["auto", "scroll"].includes(getComputedStyle(e).overflowX) && !e.matches("textarea, input, select"))
    .filter((e) => e.role !== "tablist")
    .filter((e) => e.tabIndex !== 0 || e.role !== "region" || !e.ariaLabel || e.dataset.more !== "right")
    .map((e) => e.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("width", [320, 375, 768])
def test_tabs_stand_in_one_line_with_the_open_one_in_sight(site: Site, width: int) -> None:
    page = site.open("/?tab=history", viewport={"width": width, "height": 800})
    for title in reversed(list(TABS.values())):
        page.get_by_role("tab", name=title, exact=True).click()
        page.wait_for_timeout(150)
        line = page.evaluate(TAB_LINE)
        assert line["rows"] == 1 and line["inSight"], title
        assert line["cut"] == line["marked"] == (width == 320), title


@pytest.mark.parametrize(
    "window",
    [
        {"viewport": {"width": 375, "height": 800}},
        {"viewport": {"width": 720, "height": 450}, "device_scale_factor": 2},
    ],
)
def test_content_stays_within_a_narrow_or_enlarged_window(site: Site, window: dict[str, Any]) -> None:
    page = site.open(**window)
    word = "donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft"
    fill(page, f"{word}\nhello cold friend of mine and of the river that is wide", caption=word)
    sing(page)
    page.locator("#verdict .wer").wait_for()
    page.locator(".strips").wait_for()
    for name, title in TABS.items():
        page.get_by_role("tab", name=title, exact=True).click()
        page.locator(f"#tab-{name}").wait_for()
        if name == "evidence":
            page.locator("#evidence-heat .cell").first.wait_for()
            page.locator("details.folds:not([open]) > summary").evaluate_all("all => all.forEach((e) => e.click())")
        page.wait_for_timeout(500)
        assert page.evaluate(STICKING_OUT, window["viewport"]["width"]) == [], name
        assert page.evaluate(UNMARKED) == [], name


def test_a_table_that_scrolls_says_on_which_side_there_is_more(site: Site) -> None:
    page = site.open("/?tab=evidence", viewport={"width": 375, "height": 800})
    page.locator("#standings-title").click()
    box = page.get_by_role("region", name="Word errors by composition")
    seen = [box.get_attribute("data-more")]
    for where in ("e.scrollWidth / 5", "e.scrollWidth"):
        box.evaluate(f"e => {{ e.scrollLeft = {where}; }}")
        page.wait_for_timeout(150)
        seen.append(box.get_attribute("data-more"))
    assert seen == ["right", "left right", "left"]
    page.set_viewport_size({"width": 1440, "height": 800})
    page.wait_for_function("e => !e.dataset.more", arg=box.element_handle())


#: As Gradio makes other content of what it shows: attributes that the server does not know go, and the others are set.
PATCH = """all => all.forEach((e) => {
    for (const name of e.getAttributeNames()) if (!["class", "data-first"].includes(name)) e.removeAttribute(name);
    e.setAttribute("open", ""); })"""


def test_a_phone_folds_what_was_measured_but_the_heat_map(site: Site) -> None:
    page = site.open("/?tab=evidence", viewport={"width": 375, "height": 800})
    page.locator("#evidence-heat .cell").first.wait_for()
    heads = page.locator("#evidence details.folds")
    opened = "all => all.filter((e) => e.open).map((e) => e.querySelector('h3').id)"
    assert heads.count() > 3
    assert heads.evaluate_all(opened) == ["heat-title"]
    page.locator("summary:has(#standings-title)").focus()
    page.keyboard.press("Enter")
    page.get_by_role("region", name="Word errors by composition").wait_for()
    page.get_by_role("link", name="What the router knows").click()
    assert heads.evaluate_all(opened) == ["standings-title", "heat-title", "router-title"]
    assert page.url.endswith("/?tab=evidence#router-title"), "the page is the same"
    assert 0 <= page.locator("#router-title").evaluate("e => e.getBoundingClientRect().top") < 800
    # what Gradio does when other figures come
    heads.evaluate_all(PATCH)
    page.wait_for_timeout(100)
    assert heads.evaluate_all(opened) == ["standings-title", "heat-title", "router-title"]
    # what the browser does when it finds a word, which the next figures leave as it is
    page.locator("details.folds:has(#wins-title)").evaluate("e => { e.open = true; }")
    page.wait_for_timeout(100)
    heads.evaluate_all(PATCH)
    page.wait_for_timeout(100)
    assert heads.evaluate_all(opened) == ["standings-title", "heat-title", "wins-title", "router-title"]
    page.set_viewport_size({"width": 1440, "height": 800})
    page.wait_for_timeout(100)
    assert len(heads.evaluate_all(opened)) == heads.count()


def test_a_hint_within_a_heading_folds_nothing(site: Site) -> None:
    page = site.open("/?tab=evidence")
    page.locator("#evidence-heat .cell").first.wait_for()
    details = page.locator("details.folds:has(#wins-title)")
    mark = '<span id="why" tabindex="0" data-hint="Because.">?</span>'
    details.locator("h3").evaluate("(e, mark) => e.insertAdjacentHTML('afterend', mark)", mark)
    page.locator("#why").focus()
    for key in ("Enter", " "):
        page.keyboard.press(key)
        page.wait_for_timeout(50)
        assert details.evaluate("e => e.open"), key
    page.locator("#why").click()
    assert details.evaluate("e => e.open") and page.locator("#hint-bubble").inner_text() == "Because."
    details.locator("> summary").focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(50)
    assert not details.evaluate("e => e.open"), "the heading itself still folds"
