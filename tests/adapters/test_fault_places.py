"""The path of a fault keeps every name that was given, and none of a type that pydantic tried."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from adapters.fault_places import find_path, is_whole, join_tried
from adapters.field_faults import say_fault


class Inner(BaseModel):
    count: int | list[int] = 1


class Places(BaseModel):
    """Unions and mappings, one within the other."""

    weights: dict[str, float] = {}
    many: list[Annotated[str, Field(min_length=2)] | dict[str, float]] = []
    either: Literal["a", "b"] | Literal["c"] = "a"
    inner: Inner | None = None
    named: dict[str, Inner] = {}
    pair: tuple[int, str | float] = (1, "")
    share: float | int = 1
    number: int | None = None


def errors(given: dict[str, Any]) -> list[dict[str, Any]]:
    with pytest.raises(ValidationError) as wrong:
        Places.model_validate(given, strict=True)
    return [dict(one) for one in wrong.value.errors()]


@pytest.mark.parametrize("name", ["none", "int", "str", "bool", "float", "constrained-str", "dict[x]", "lyrics"])
def test_a_key_is_told_though_it_is_called_like_a_type(name: str) -> None:
    for value in ("x", {"a": 1}):
        [error] = errors({"weights": {name: value}})
        assert find_path(error, Places) == ("weights", name)
    [error, _] = errors({"named": {name: {"count": "x"}}})
    assert find_path(error, Places) == ("named", name, "count")


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"many": ["ab", "a"]}, ("many", 1)),
        ({"many": [5]}, ("many", 0)),
        ({"either": "x"}, ("either",)),
        ({"inner": {"count": "x"}}, ("inner", "count")),
        ({"pair": (1, [])}, ("pair", 1)),
        ({"share": "x"}, ("share",)),
    ],
)
def test_a_type_that_was_tried_is_no_part_of_the_path(given: dict[str, Any], path: tuple[Any, ...]) -> None:
    assert {find_path(error, Places) for error in errors(given)} == {path}
    assert {find_path(error) for error in errors(given)} == {path}, "nor where the model is not known"


def test_without_the_model_a_key_with_something_in_it_is_told() -> None:
    assert find_path({"loc": ("weights", "int"), "input": {}}) == ("weights", "int")
    assert find_path({"loc": ("weights", "int", "x"), "input": 5}) == ("weights", "int", "x")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"many": [5]}, ["number 1 must be text or an object with names and values, not 5"]),
        ({"many": [{"str": "x"}]}, ["number 1, str must be a number, not the text 'x'"]),
        ({"many": ["a"]}, ["number 1 has 1 character: give at least 2 characters"]),
        (
            {"many": [5, 6]},
            [f"number {n} must be text or an object with names and values, not {n + 4}" for n in (1, 2)],
        ),
        ({"share": "x"}, ["must be a number or a whole number, not the text 'x'"]),
        (
            {"weights": {"a": "x", "b": "y"}},
            ["a must be a number, not the text 'x'", "b must be a number, not the text 'y'"],
        ),
    ],
)
def test_faults_of_one_place_that_differ_in_the_type_are_one(given: dict[str, Any], said: list[str]) -> None:
    assert [say_fault(error, None, Places) for error in join_tried(errors(given), Places)] == said


def test_whole_numbers_are_known_by_the_model() -> None:
    assert is_whole(Places, ("number",)) and is_whole(Places, ("pair", 0))
    assert not is_whole(Places, ("share",)) and not is_whole(Places, ("weights", "a")) and not is_whole(Places, ("x",))
    assert not is_whole(None, ("number",))
