"""The Adapters tab: the shelf as cards, a form to import one, and a form to blend and export them.

Cards are made here. Importing, removing and exporting go from the browser to the API, which then tells that the shelf
has changed; what was typed there never leaves the browser before it is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from adapters.base import Base
from adapters.errors import ChoirmasterError
from adapters.store import AdapterStore
from ui.adapter_cards import Standing, show_shelf
from ui.desk import QUICK, Desk
from ui.export_form import show_export_form
from ui.form import complaint
from ui.import_form import show_import_form
from ui.measured import Measurements
from ui.routing import ShelfPrints

_CHANGED = "window.choirmaster.listen('shelf', () => trigger('click', {}));"
_OPEN = "(name) => { window.choirmaster.openAdapter(name); return []; }"
_WAYS = (
    '<nav class="actions ways" aria-label="On this tab"><a class="button" href="#import">Import an adapter</a>'
    '<a class="button" href="#export">Blend and export</a></nav>'
)
_NONE = "<div class='empty'><p>This server has no shelf of adapters.</p></div>"


def build(desk: Desk) -> None:
    """Lay it out inside the current block, and wire it."""
    shelf = desk.services.shelf
    if shelf is None:
        gr.HTML(_NONE)
        return
    reader = ShelfReader(shelf, Base.of(desk.services.songs.engine.model.transformer), desk)
    seen, sought = gr.State(0), gr.Textbox(visible=False)
    gr.HTML(_WAYS)
    cards = gr.HTML(elem_id="shelf")
    changed = gr.HTML(elem_id="shelf-changed", elem_classes="command", js_on_load=_CHANGED)
    with gr.Row(elem_id="shelf-forms", equal_height=False):
        with gr.Column(scale=1, min_width=300):
            gr.HTML(show_import_form(), elem_id="import")
        with gr.Column(scale=1, min_width=300):
            gr.HTML(show_export_form(), elem_id="export")

    def arrive() -> list[Any]:
        now = reader.show()
        return [now, hash(now)]

    def look(last: int) -> list[Any]:
        now = reader.show()
        return [gr.skip(), last] if hash(now) == last else [now, hash(now)]

    def command(last: int, event: gr.EventData) -> list[Any]:
        return [str(event._data.get("name", ""))[:64], *look(last)]

    # A page that is loaded anew holds no cards, whatever was shown before.
    desk.page.load(arrive, [], [cards, seen], **QUICK)
    for event in (desk.tab.select, changed.click):
        event(look, [seen], [cards, seen], **QUICK)
    desk.command.click(command, [seen], [sought, cards, seen], **QUICK).then(None, [sought], [], js=_OPEN)


class ShelfReader:
    """The shelf as it stands now, as HTML."""

    def __init__(self, shelf: AdapterStore, base: Base, desk: Desk) -> None:
        self.shelf, self.fingerprint = shelf, base.fingerprint
        self.measurements = Measurements(desk.services.sources, ShelfPrints(shelf).read)

    def show(self) -> str:
        """All cards; what is wrong with the shelf where it cannot be read."""
        try:
            return show_shelf(list(self._standings()), self._damaged(), self.measurements.read())
        except (ChoirmasterError, OSError) as error:
            reason = getattr(error, "strerror", None) or self._named(str(error))
            return complaint(f"the shelf cannot be read ({reason}): its owner must look at it")

    def _standings(self) -> Iterator[Standing]:
        for card in self.shelf.cards():
            yield Standing(card, card.base.fingerprint == self.fingerprint, folder_size(self.shelf.folder / card.name))

    def _damaged(self) -> dict[str, str]:
        return {name: self._named(fault) for name, fault in self.shelf.damaged().items()}

    def _named(self, text: str) -> str:
        """The text without the folder that the shelf lies in."""
        for folder in {str(self.shelf.folder), str(self.shelf.folder.absolute()), str(self.shelf.folder.resolve())}:
            text = text.replace(f"{folder}/", "").replace(folder, "the shelf")
        return text


def folder_size(folder: Path) -> int:
    """Bytes of the files of an adapter, 0 where it has gone."""
    size = 0
    with suppress(OSError):
        for path in folder.iterdir():
            if path.is_file() and not path.is_symlink():
                size += path.stat().st_size
    return size
