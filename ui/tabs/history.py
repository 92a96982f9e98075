"""The History tab: past songs from disk, filtered, played, sung again, compared, deleted and brought back.

The browser keeps filters and page, and asks for a part of the list (``browser/history.js``); entries are made here and
put into its list there, so that what plays is left alone. Deleting and bringing back go through the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from engine.errors import RequestError
from ui.desk import QUICK, Desk
from ui.history_form import show_page
from ui.history_list import show_answer, show_entries
from ui.history_query import read_wish
from ui.songs import Songs

#: Songs of one page.
SHOWN = 20
#: Folders told of that hold no song that can be read.
MAX_UNREADABLE = 20
_ASK = """
    const page = element.querySelector("past-songs");
    page.send = (wish) => trigger("click", wish);
    page.dispatchEvent(new Event("ready"));
"""


def build(desk: Desk) -> None:
    """Lay it out inside the current block, and wire it."""
    songs = desk.services.songs
    asking = gr.HTML(show_page(), elem_id="history", js_on_load=_ASK)
    answers = gr.HTML(elem_id="history-answers", elem_classes="command")

    def look(event: gr.EventData) -> Any:
        answer = find(songs, event._data if isinstance(event._data, Mapping) else {})
        return gr.skip() if answer is None else answer

    asking.click(look, [], [answers], trigger_mode="multiple", **QUICK)


def find(songs: Songs, given: Mapping[str, Any]) -> str | None:
    """The answer to what a browser asks; None where it only asks whether there is something new and there is not.

    ``given``: the filters and page of ``ui.history_query``, ``asked`` (a number to know the answer by), and for a mere
    look ``seen``, as it stood in the last answer.
    """
    every = songs.page(0)[1]
    seen = f"{songs.changes}/{every}"
    if given.get("seen") == seen:
        return None
    about: dict[str, Any] = {"asked": given.get("asked"), "seen": seen, "every": every}
    try:
        wish = read_wish(given)
    except RequestError as error:
        return show_answer({**about, "faults": {fault.field: fault.message for fault in error.faults}})
    found, total = songs.page(SHOWN, SHOWN * (wish.page - 1), wish.listing)
    pages = max(1, -(-total // SHOWN))
    page = min(wish.page, pages)
    if page < wish.page:
        found, total = songs.page(SHOWN, SHOWN * (page - 1), wish.listing)
    about |= {
        "total": total,
        "page": page,
        "pages": pages,
        "first": SHOWN * (page - 1) + 1,
        "filtered": wish.filtered,
        "adapters": songs.store.adapters(),
        "unreadable": songs.store.unreadable()[:MAX_UNREADABLE],
        "entries": show_entries(found),
    }
    return show_answer(about)
