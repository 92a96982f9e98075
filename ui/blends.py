"""The adapters of the shelf as a song may be sung with them: names to choose from, and a slider each for a blend.

``browser/blend.js`` keeps the sliders and the text of the composition in step. Knows the shelf and which model sings;
names and reasons come from files, so all is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from adapters.base import Base
from adapters.card import check_base
from adapters.errors import AdapterError
from adapters.store import AdapterStore
from ui.hints import hint

#: What the sliders reach; the number beside each and the text go further.
LOWEST, HIGHEST, STEP = -1.5, 1.5, 0.05


@dataclass(frozen=True)
class Shelved:
    """One adapter of the shelf; ``reason``: why it cannot sing here, where it cannot."""

    name: str
    reason: str | None = None


class Blends:
    """The adapters of a shelf beside the model that sings; ``shelf`` None: there are none."""

    def __init__(self, shelf: AdapterStore | None, base: Base) -> None:
        self._shelf, self._base = shelf, base

    def listed(self) -> tuple[Shelved, ...]:
        """All adapters, as the shelf is now."""
        if self._shelf is None:
            return ()
        try:
            return tuple(self._look(self._shelf, name) for name in self._shelf.names())
        except OSError:  # the shelf cannot be listed: singing says so
            return ()

    def _look(self, shelf: AdapterStore, name: str) -> Shelved:
        try:
            check_base(shelf.card(name), self._base)
        except AdapterError as error:
            # Where the shelf lies is nobody's business.
            return Shelved(name, str(error).replace(f"{shelf.folder}/", ""))
        return Shelved(name)


def singable(shelved: Sequence[Shelved]) -> list[str]:
    """Names of those that fit."""
    return [adapter.name for adapter in shelved if adapter.reason is None]


def show_sliders(shelved: Sequence[Shelved]) -> str:
    """A slider and a number for each, as HTML."""
    if not shelved:
        return (
            '<p class="note-box">There are no adapters yet. <a href="/?tab=adapters" data-go="adapters">Put one on the '
            "shelf</a> to blend it.</p>"
        )
    rows = "".join(_row(adapter, place) for place, adapter in enumerate(shelved))
    return (
        f'<blend-sliders data-text="#composition"><div class="blend" role="group" aria-label="Weights of adapters">'
        f'<p class="faint">How strongly each sings along.{hint("weight")}</p>{rows}</div></blend-sliders>'
    )


def _row(adapter: Shelved, place: int) -> str:
    name, told = escape(adapter.name), f"blend-reason-{place}"
    off = "" if adapter.reason is None else f' disabled aria-describedby="{told}"'
    reason = "" if adapter.reason is None else f'<p class="faint" id="{told}">{escape(adapter.reason)}</p>'
    shared = f'step="{STEP}" data-name="{name}"{off}'
    return (
        f'<div class="weight"><span>{name}</span>'
        f'<input type="range" min="{LOWEST}" max="{HIGHEST}" value="0" aria-label="{name}, slider" {shared}>'
        f'<input type="number" min="-4" max="4" value="0" aria-label="{name}, weight" {shared}>{reason}</div>'
    )
