"""Faults are told beside their fields, each once, and never as markup; what has no field is told elsewhere."""

from __future__ import annotations

import re

import gradio as gr

from engine.errors import Fault, RequestError, SongError
from ui.field_faults import Slots, find_faults

EVIL = "<img src=x onerror=alert(1)>\0\ud800"


def slots() -> Slots:
    made = Slots()
    with gr.Blocks():
        made.add("duration", "duration")
        made.add("composition", "composition", "single")
    return made


def test_each_fault_stands_in_its_own_place() -> None:
    made = slots()
    faults = [Fault("composition", EVIL), Fault("composition", "two"), Fault("composition", "two"), Fault("plan", "p")]
    duration, composition = made.show(faults)
    assert "<p" not in duration and made.show(()) == [duration, made.show(())[1]]
    assert 'data-for="composition single"' in composition and 'id="composition-fault"' in composition
    assert composition.count("two") == 1 and "<img" not in composition and 'role="alert"' in composition
    composition.encode()
    assert made.homeless(faults) == ["p"]
    assert [part.elem_id for part in made.parts.values()] == ["duration-slot", "composition-slot"]


def test_a_text_of_any_length_is_cut() -> None:
    shown = slots().show([Fault("duration", "la " * 5000)])[0]
    assert len(re.sub("<[^>]+>", "", shown)) == 600 and "…" in shown


def test_an_error_without_fields_is_a_fault_of_none() -> None:
    assert find_faults(SongError("full")) == (Fault("", "full"),)
    assert find_faults(RequestError("bad")) == (Fault("", "bad"),)
    assert find_faults(RequestError.of([Fault("seed", "odd")])) == (Fault("seed", "odd"),)
    assert slots().homeless(find_faults(SongError("full"))) == ["full"]
