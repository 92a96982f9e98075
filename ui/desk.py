"""What every tab of the page is given: the services behind it, and the means to hear of other tabs.

Tabs do not know each other. A link or a script sends whoever uses the page from one to another with
``window.choirmaster.go("compare", {...})`` (``browser/early.js``); the tab hears of it as a click of its ``command``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from adapters.store import AdapterStore

if TYPE_CHECKING:
    from ui.evaluations import Evaluations
    from ui.refits import Refits
    from ui.songs import Songs
    from ui.sources import Sources
    from ui.voting import Voting

#: Names of the tabs, as in the address, and what they are called on the page.
TABS: Mapping[str, str] = {
    "sing": "Sing",
    "compare": "Compare",
    "adapters": "Adapters",
    "evidence": "Evidence",
    "history": "History",
}
#: Events that are answered at once, and are nobody else's business.
QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class Services:
    """The services behind the page. What needs one that is None is not offered."""

    songs: Songs
    shelf: AdapterStore | None = None
    voting: Voting | None = None
    sources: Sources | None = None
    evaluations: Evaluations | None = None
    refits: Refits | None = None


@dataclass(frozen=True)
class Desk:
    """What one tab is built with. ``tab`` tells when it is opened; ``command`` is clicked with the data of whoever
    sent a visitor here, in ``event._data``."""

    services: Services
    page: gr.Blocks
    tab: gr.Tab
    command: gr.HTML


def make_command(name: str) -> gr.HTML:
    """The component that hears of ``window.choirmaster.go(name, data)``; it shows nothing."""
    return gr.HTML(
        elem_id=f"{name}-command",
        elem_classes="command",
        js_on_load=f"window.choirmaster.listen('{name}', (data) => trigger('click', data));",
    )
