"""What is wrong with a field, told right below it; what is wrong with none of them, told below the form.

``browser/faults.js`` marks the inputs that a fault is about. Knows faults and places, not what is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import gradio as gr

from engine.errors import ChoirmasterError, Fault, RequestError

#: A fault longer than this is cut: somebody's whole text may stand in it.
_LONGEST = 600


def make_slot(field: str, inputs: str) -> gr.HTML:
    """The place of a field's fault; ``inputs``: ids of the components it may be about, with spaces between."""
    return gr.HTML(elem_id=f"{field.replace('_', '-')}-slot", elem_classes="slot", value=_empty(inputs))


class Slots:
    """Places of faults by field, in the order in which updates are made."""

    def __init__(self) -> None:
        self.parts: dict[str, gr.HTML] = {}
        self._inputs: dict[str, str] = {}

    def add(self, field: str, *inputs: str) -> None:
        """Put the place of a field's fault here; ``inputs``: ids of the components that it may be about."""
        self._inputs[field] = " ".join(inputs)
        self.parts[field] = make_slot(field, self._inputs[field])

    def show(self, faults: Sequence[Fault]) -> list[str]:
        """Contents of all places."""
        told = sort_faults(faults)
        return [_fault(f, told[f], at) if told.get(f) else _empty(at) for f, at in self._inputs.items()]

    def homeless(self, faults: Sequence[Fault]) -> list[str]:
        """Sentences on fields that have no place here."""
        return [fault.told for fault in faults if fault.field not in self._inputs]


def find_faults(error: ChoirmasterError) -> tuple[Fault, ...]:
    """The faults of an error; one without a field where it names none."""
    known = error.faults if isinstance(error, RequestError) else ()
    return known or (Fault("", str(error)),)


def sort_faults(faults: Sequence[Fault]) -> Mapping[str, list[str]]:
    """Sentences by field, each once."""
    told: dict[str, list[str]] = {}
    for field, message in dict.fromkeys((fault.field, fault.message) for fault in faults):
        told.setdefault(field, []).append(message)
    return told


def _empty(inputs: str) -> str:
    return f'<span data-for="{escape(inputs)}"></span>'


def _fault(field: str, messages: Sequence[str], inputs: str) -> str:
    plain = "; ".join(messages).encode("utf-8", "replace").decode()
    shown = plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"
    name = field.replace("_", "-")
    return (
        f'<span data-for="{escape(inputs)}"><p class="fault" id="{name}-fault" role="alert">{escape(shown)}</p></span>'
    )
