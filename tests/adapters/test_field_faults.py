"""What pydantic finds is said in words, with the value and the limit, and in none of its own."""

import json
import math
import re
from typing import Any, Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.field_faults import Wording, name_fault, say_fault, say_first, show_value
from api.bodies import read_song
from engine.errors import RequestError
from engine.request import SongRequest, read_request
from ui.takes import CascadeOptions

#: Beginnings of pydantic's own sentences.
ITS_OWN = re.compile(
    r"[Ii]nput should|[Ss]tring should|[Vv]alue should|[Ff]ield required|[Ee]xtra inputs|unable to parse|is not a valid"
    r"|valid (number|integer|string)|should be|[Vv]alue error|should have at most"
)


def limits(model: type[BaseModel], field: str) -> dict[str, float]:
    """Of one field, as JSON schema tells them."""
    found = model.model_json_schema()["properties"][field]
    numbers: dict[str, Any] = next(
        (one for one in found.get("anyOf", [found]) if one.get("type") in ("integer", "number")), {}
    )
    return {name: value for name, value in numbers.items() if name in _SCHEMA}


_SCHEMA = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
NUMBERS = [
    (model, field) for model in (SongRequest, CascadeOptions) for field in model.model_fields if limits(model, field)
]


def refuse(model: type[BaseModel], field: str, value: Any) -> str:
    """The sentence beside the field, once the one for programs is looked at too."""
    read = CascadeOptions.read if model is CascadeOptions else read_request
    with pytest.raises(RequestError) as refused:
        read({field: value})
    [fault] = refused.value.faults
    assert fault.field == field and str(refused.value) == name_fault(field, fault.message)
    assert str(refused.value).startswith(field) and not ITS_OWN.search(str(refused.value))
    assert field not in fault.message, "the page may call it otherwise"
    return fault.message


def ends(model: type[BaseModel], field: str) -> tuple[float, float]:
    told = limits(model, field)
    return told["minimum"], told.get("maximum", told.get("exclusiveMaximum", 0) - 1)


def test_every_number_of_a_song_is_among_them() -> None:
    found = {field for model, field in NUMBERS if model is SongRequest}
    assert found == {"duration", "tempo", "melody_seed", "seed", "steps", "guidance"}
    assert {f for _, f in NUMBERS} - found == {"budget", "stop_wer", "together"}


@given(st.sampled_from(NUMBERS), st.integers(1, 10**9), st.booleans(), st.booleans())
def test_a_number_out_of_its_limits_is_told_with_both(
    number: tuple[type[BaseModel], str], beyond: int, above: bool, typed: bool
) -> None:
    low, high = ends(*number)
    value = high + beyond if above else low - beyond
    said = refuse(*number, f"{value:.12g}" if typed else value)
    assert said.startswith(f"{value:.12g} is too ") and f": choose {low:g} to {high:.12g}" in said


@given(
    st.sampled_from(NUMBERS),
    st.one_of(
        st.sampled_from([math.nan, math.inf, -math.inf, True, False, [1], {"a": 1}, "nan", "-inf"]),
        st.text(min_size=1).filter(lambda text: not re.search(r"[\d_]|nan|inf", text.lower())),
    ),
)
def test_what_is_no_number_is_told_with_what_it_is(number: tuple[type[BaseModel], str], value: Any) -> None:
    low, high = ends(*number)
    said = refuse(*number, value)
    assert said.startswith("must be a ") and f"not {show_value(value)}" in said
    assert f": choose {low:g} to {high:.12g}" in said and len(said) < 200


@given(st.sampled_from(NUMBERS[:6]), st.sampled_from(["5", True, [5], {"a": 5}, "x"]))
def test_bodies_are_told_the_same(number: tuple[type[BaseModel], str], value: Any) -> None:
    _, field = number
    with pytest.raises(RequestError) as refused:
        read_song(json.dumps({field: value}).encode())
    [fault] = refused.value.faults
    assert fault.field == field and fault.message.startswith("must be a") and not ITS_OWN.search(str(refused.value))
    assert ("the text" in fault.message) == isinstance(value, str)


class Everything(BaseModel):
    """One field of each kind."""

    model_config = ConfigDict(extra="forbid")

    needed: int
    text: str = Field(default="aa", min_length=2, max_length=4)
    shaped: str = Field(default="a", pattern="^a+$")
    many: list[int] = Field(default=[1], min_length=1, max_length=2)
    one_of: Literal["first", "second"] = "first"
    sure: bool = False
    above: float = Field(default=1, gt=0, lt=1)
    least: int = Field(default=1, ge=1)
    inner: dict[str, int] = Field(default={})
    either: int | list[int] = 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "needed is missing: give it"),
        ({"text": "a"}, "text has 1 character: give at least 2 characters"),
        ({"text": ""}, "text is empty: give at least 2 characters"),
        ({"text": "a" * 5000}, "text has 5,000 characters, at most 4 are allowed; give less"),
        ({"text": "\ud800a"}, "text holds characters that are no text: leave those out"),
        ({"text": 5}, "text must be text, not 5"),
        ({"shaped": "b"}, "shaped: 'b' is not of the form that is asked for: it must match ^a+$"),
        ({"many": []}, "many is empty: give at least 1 entry"),
        ({"many": [1, 2, 3]}, "many has 3 entries, at most 2 are allowed; give less"),
        ({"many": [1, "x"]}, "many number 2 must be a whole number, not 'x'"),
        ({"many": 7}, "many must be a list, not 7"),
        ({"one_of": "third"}, "one_of must be 'first' or 'second', not 'third'"),
        ({"sure": "perhaps"}, "sure must be true or false, not 'perhaps'"),
        ({"above": 0}, "above: 0 is too small: choose more than 0 and less than 1"),
        ({"least": 0}, "least: 0 is too small: choose at least 1"),
        ({"inner": {"a": "x"}}, "inner: a must be a whole number, not 'x'"),
        ({"inner": 5}, "inner must be an object with names and values, not 5"),
        ({"either": "x"}, "either must be a whole number, not 'x'"),
        ({"odd": 1}, "odd is not a field of a test: leave it out"),
        ({"least": 10**5000}, None),
    ],
)
def test_each_kind_of_fault_is_said_in_words(given: dict[str, Any], said: str | None) -> None:
    fields = {"needed": 1, **given} if given else {}
    try:
        Everything.model_validate(fields)
    except ValidationError as error:
        one = error.errors()[0]
        found = name_fault(str(one["loc"][0]), say_fault(dict(one), None, Everything, "a test"))
        assert found == said and not ITS_OWN.search(found)
    else:
        assert said is None


class Limits(BaseModel):
    """Every pair of limits, of numbers and of whole ones, whose open ends are told as closed ones."""

    over: float = Field(default=1, gt=0)
    under: float = Field(default=1, lt=2)
    up_to: float = Field(default=1, gt=0, le=2)
    before: float = Field(default=1, ge=1, lt=2)
    over_whole: int = Field(default=1, gt=0)
    under_whole: int = Field(default=1, lt=2)
    up_to_whole: int | None = Field(default=1, gt=0, le=2)
    before_whole: int = Field(default=1, ge=0, lt=2)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("over", 0, "0 is too small: choose more than 0"),
        ("under", 2, "2 is too large: choose less than 2"),
        ("up_to", 0, "0 is too small: choose more than 0 and at most 2"),
        ("before", 2, "2 is too large: choose at least 1 and less than 2"),
        ("over_whole", 0, "0 is too small: choose at least 1"),
        ("under_whole", 2, "2 is too large: choose at most 1"),
        ("up_to_whole", 0, "0 is too small: choose 1 to 2"),
        ("before_whole", 2, "2 is too large: choose 0 to 1"),
        ("before_whole", "x", "must be a whole number, not 'x': choose 0 to 1"),
    ],
)
def test_open_and_closed_limits_are_told_as_they_are(field: str, value: Any, said: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        Limits.model_validate({field: value})
    assert say_fault(dict(wrong.value.errors()[0]), None, Limits) == said


def test_where_the_type_is_not_known_an_open_end_stays_open() -> None:
    with pytest.raises(ValidationError) as wrong:
        Limits.model_validate({"under": 2})
    assert say_fault(dict(wrong.value.errors()[0])) == "2 is too large: choose less than 2"


def test_no_kind_of_pydantics_errors_is_told_in_its_words() -> None:
    from pydantic_core import ErrorDetails, core_schema

    assert ErrorDetails is not None
    kinds = get_args(core_schema.ErrorType)
    assert len(kinds) > 90
    ours = {"value_error", "assertion_error"}
    context = {n: 3 for n in ("ge", "gt", "le", "lt", "min_length", "max_length", "actual_length")}
    for kind in set(kinds) - ours:
        error = {
            "type": kind, "loc": ("a",), "input": "x", "msg": "Input should be pydantic's",
            "ctx": {**context, "expected": "'y'", "pattern": "y"},
        }  # fmt: skip
        said = say_fault(error, Wording())
        assert said and not ITS_OWN.search(said), kind


def test_a_file_is_told_by_the_whole_path() -> None:
    with pytest.raises(ValidationError) as wrong:
        Everything.model_validate({"needed": 1, "inner": {"a": "x"}})
    assert say_first(wrong.value) == "inner.a must be a whole number, not 'x'"
    with pytest.raises(ValidationError) as wrong:
        Everything.model_validate_json("{")
    assert say_first(wrong.value) == "it is not readable as JSON"
    with pytest.raises(json.JSONDecodeError) as torn:
        json.loads("{")
    assert say_first(torn.value) == "it is not readable as JSON"
    with pytest.raises(ValidationError) as wrong:
        Everything.model_validate({"needed": 1, "odd": 1})
    assert say_first(wrong.value) == "odd is not known here: leave it out"
