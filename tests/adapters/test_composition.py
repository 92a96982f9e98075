"""Compositions have one form, and what is written of them reads back to the last digit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.composition import (
    MAX_ADAPTERS,
    MAX_WEIGHT,
    checked_composition,
    format_composition,
    parse_composition,
)
from adapters.errors import AdapterError

NAMES = st.from_regex("[a-z0-9-]{1,64}", fullmatch=True)
WEIGHTS = st.floats(-MAX_WEIGHT, MAX_WEIGHT)
COMPOSITIONS = st.dictionaries(NAMES, WEIGHTS, max_size=MAX_ADAPTERS)


@given(COMPOSITIONS)
def test_what_is_written_reads_back(given_weights: dict[str, float]) -> None:
    checked = checked_composition(given_weights)
    text = format_composition(given_weights)
    assert parse_composition(text) == checked
    assert format_composition(parse_composition(text)) == text
    assert list(checked) == sorted(checked) and all(checked.values())
    assert checked == {name: weight for name, weight in given_weights.items() if weight}


@given(st.permutations(["a", "b", "c"]))
def test_the_order_does_not_matter(order: list[str]) -> None:
    weights = {"a": 0.5, "b": -1.0, "c": 4.0}
    assert format_composition({name: weights[name] for name in order}) == "a=0.5,b=-1,c=4"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_a_sentence(text: str) -> None:
    try:
        found = parse_composition(text)
    except AdapterError as error:
        assert ": " in str(error)
    else:
        assert checked_composition(found) == found


@pytest.mark.parametrize("text", ["", "base", " base ", "base,base", "lyrics=0", "lyrics=-0.0", ","])
def test_the_base_model_has_many_names_and_one_form(text: str) -> None:
    assert parse_composition(text) == {} and format_composition(parse_composition(text)) == "base"


def test_a_bare_name_weighs_one_and_spaces_are_free() -> None:
    assert parse_composition(" lyrics , no-lyrics = .25 ") == {"lyrics": 1.0, "no-lyrics": 0.25}
    assert parse_composition("b=1e-3,a=+2,base") == {"a": 2.0, "b": 0.001}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lyrics=loud", "'lyrics=loud' is no weighted adapter: write a composition like lyrics=0.6"),
        ("lyrics=", "is no weighted adapter"),
        ("a=1=2", "is no weighted adapter"),
        ("a,a=0.5", "adapter a stands twice"),
        ("a=0,a=1", "stands twice"),
        ("Lyrics", "'Lyrics' is no adapter name: use 1 to 64 of a-z"),
        ("../shelf=1", "is no adapter name"),
        ("x" * 65, "is no adapter name"),
        ("a=4.5", "adapter a has weight 4.5: give a number from -4 to 4"),
        ("a=nan", "weight nan: give a number"),
        ("a=-inf", "weight -inf: give a number"),
        (",".join(f"a{i}" for i in range(17)), "17 adapters was asked for: at most 16"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(text: str, told: str) -> None:
    with pytest.raises(AdapterError) as refused:
        parse_composition(text)
    assert told in str(refused.value)


def test_weights_keep_every_digit() -> None:
    weights = {"a": 0.1 + 0.2, "b": math.pi, "c": 5e-324}
    assert parse_composition(format_composition(weights)) == weights


@pytest.mark.parametrize("text", ["routed", "routed=0.5", "lyrics,routed"])
def test_what_the_router_chooses_is_no_adapter(text: str) -> None:
    with pytest.raises(AdapterError, match="routed is what the router chooses and no adapter: ask for it alone"):
        parse_composition(text)
