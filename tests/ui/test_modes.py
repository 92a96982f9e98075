"""What the form says of compositions and cascades, and how decisions and takes are shown."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from engine.errors import RequestError
from router.decision import Candidate
from tests.ui.planted import decide
from ui.choices import NOTHING, Choice, TakeOf
from ui.decided import show_decision
from ui.modes import read_modes, show_fields, show_knowledge, show_modes
from ui.take_list import show_takes
from ui.takes import CascadeOptions, CascadeStanding, TakeStanding

EVIL = "<img src=x onerror=alert(1)>"


def test_every_mode_is_read() -> None:
    assert read_modes(("base", "lyrics", "", "", "both", "a")).composition == {}
    assert read_modes(("blend", "b=0.5, a", "", "", "both", "c")).composition == {"a": 1, "b": 0.5}
    assert read_modes(("single", "b=0.5, a", "", "", "both", " c ")).composition == {"c": 1}
    assert read_modes(("routed", "", "", "", "both", None)).mode == "routed"
    assert read_modes(("cascade", "", "", None, None, None)).options == CascadeOptions()
    asked = CascadeOptions(budget=5, stop_wer=0.1, retry="seeds")
    assert read_modes(("cascade", "", " 5 ", "10 %", "seeds", None)).options == asked


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        (("blend", "a=much", "", "", "both", None), "composition", "lyrics=0.6"),
        (("blend", "A", "", "", "both", None), "composition", "no adapter name"),
        (("single", "a", "", "", "both", "A"), "composition", "no adapter name"),
        (("single", "a", "", "", "both", None), "composition", "no adapter is chosen"),
        (("cascade", "", "0", "", "both", None), "budget", "0 is too few: choose 1 to 16 songs"),
        (("cascade", "", "17", "", "both", None), "budget", "17 is too many: choose 1 to 16 songs"),
        (("cascade", "", "many", "", "both", None), "budget", "must be a whole number, not 'many': choose 1 to 16"),
        (("cascade", "", "", "nan", "both", None), "stop_wer", "must be a finite number, not nan: choose 0 to 100"),
        (("cascade", "", "", "150", "both", None), "stop_wer", "150 is too large: choose 0 to 100"),
        (("cascade", "", "", "", "never", None), "retry", "must be 'adapters', 'seeds' or 'both', not 'never'"),
        (("blend", "routed", "", "", "both", None), "composition", "routed is what the router chooses"),
    ],
)
def test_what_is_wrong_is_told(values: tuple[Any, ...], field: str, said: str) -> None:
    with pytest.raises(RequestError, match=re.escape(said)) as raised:
        read_modes(values)
    assert [fault.field for fault in raised.value.faults] == [field]


def test_a_stored_song_fills_the_fields_again() -> None:
    take = TakeOf("f" * 16, 0, "base", 4, 0.1, "seeds")
    assert show_modes({}, Choice(decide(), take)) == ["cascade", "", "4", "10", "seeds", None]
    assert show_modes({}, Choice(decide()))[0] == "routed"
    for blend in ({"a": 0.5}, {"a": 1, "b": -0.5}):
        fields = show_modes({"composition": blend}, NOTHING)
        assert fields[0] == "blend" and fields[-1] is None
        assert read_modes(tuple(fields)).composition == blend
    fields = show_modes({"composition": {"a": 1}}, NOTHING)
    assert fields[0] == "single" and fields[-1] == "a" and read_modes(tuple(fields)).composition == {"a": 1}
    for composition in ({}, None, 3, {"../a": 1}, {"a": "x"}):
        assert show_modes({"composition": composition}, NOTHING)[0] == "base"
    assert [part.visible for part in show_fields("cascade")[1:]] == [False, False, True]
    assert [part.visible for part in show_fields("blend")[1:]] == [False, True, False]
    assert show_fields("base")[0] == ""
    assert 'href="/v1/router/report" target="_blank"' in show_knowledge(True) and show_knowledge(False) == ""


def test_a_decision_shows_every_candidate_and_nothing_of_others_as_markup() -> None:
    sure = show_decision(decide())
    assert "No confident choice" not in sure
    for why in ("abstained", "unknown ground", "no signal"):
        shown = show_decision(replace(decide(), why=why))
        assert "<strong>No confident choice, default taken.</strong>" in shown
    gone = Candidate(EVIL, {}, 0.9, 0.8, 2.0, -0.5, 0.1, available=False, reason=f"{EVIL} is gone")
    decision = decide()
    shown = show_decision(replace(decision, candidates=(*decision.candidates, gone), notes=(EVIL,)))
    assert "<img" not in shown and "<i>sings" not in shown and "<b>old" not in shown
    text = re.sub(r"\s+", " ", re.sub('<span class="sr">[^<]*</span>|<[^>]+>', "", shown))
    assert "predicted WER 20.0 %" in text and "10.0–40.0 %" in text and "is gone" in text
    rows = re.findall(r"<tr class=.*?</tr>", shown)
    assert len(rows) == 4 and "chosen" in rows[0] and "default" in rows[1] and 'class="gone"' in rows[3]
    assert re.findall(r"left:([\d.]+)%;width:([\d.]+)%", rows[0]) == [("10.0", "30.0")]
    assert re.findall(r"left:([\d.]+)%;width:([\d.]+)%", rows[3]) == [("80.0", "20.0")], "what is beyond is cut"
    assert 'aria-label="Foreseen"' in show_decision(decision, label="Foreseen") and "Foreseen" not in shown
    assert show_decision(None) == "" and "<details open>" not in show_decision(decision, opened=False)


def standing(**fields: Any) -> CascadeStanding:
    takes = (
        TakeStanding(0, "a" * 16, EVIL, 1, "done", 0.5),
        TakeStanding(1, None, "gone=1", 1, "failed", None, f"there is no {EVIL}"),
        TakeStanding(2, "b" * 16, "base", 1, "judging"),
    )
    given: dict[str, Any] = {"budget": 4, "stop_wer": 0.2}
    return replace(CascadeStanding("f" * 16, "going", "", {}, given, None, takes), **fields)


def test_takes_are_listed_with_their_words_and_players() -> None:
    shown = show_takes(standing(), "a" * 16)
    said = re.sub('<span class="sr">[^<]*</span>|<[^>]+>', "", shown)
    assert "Take 3 of at most 4, enough at a WER of 20.0 %." in said and "20.0 %" in shown and "<img" not in shown
    assert shown.count("<audio") == 1 and "WER 50.0 %" in shown and "judging" in shown
    assert re.findall(r'data-song="(\w+)"( aria-current="true")?', shown) == [
        ("f" * 16, ""),  # all of it
        ("a" * 16, ' aria-current="true"'),
        ("b" * 16, ""),
    ]
    ended = show_takes(standing(state="done", best="a" * 16, reason=EVIL), None)
    assert ended.count("best") == 1 and "<img" not in ended
    assert 'role="alert"' in show_takes(standing(state="failed", reason="All failed"), None)
    assert show_takes(None, None) == ""
