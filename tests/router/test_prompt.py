"""A prompt is checked at the edge: nothing in it is longer than the router, or its memory, can use."""

from __future__ import annotations

import pytest

from router.errors import RouterError
from router.prompt import MAX_TAG, MAX_TAGS, RouterPrompt, read_prompt


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (
            ["slow", "a" * 900_000],
            "tags number 2 has 900,000 characters, at most 100 are allowed; give fewer or shorter",
        ),
        (["slow"] * (MAX_TAGS + 1), "tags has 33 entries, at most 32 are allowed; give fewer"),
    ],
)
def test_tags_have_limits(tags: list[str], said: str) -> None:
    with pytest.raises(RouterError, match=said):
        read_prompt(tags=tags)


def test_the_longest_tags_pass() -> None:
    tags = ["a" * MAX_TAG] * MAX_TAGS
    assert read_prompt("Folk.", tags[:1]).description == f"Folk. {tags[0]}"
    assert read_prompt(tags=tags).tags == tuple(tags)


def test_only_words_are_words() -> None:
    assert (
        RouterPrompt(lyrics="[verse]\n(ooh) {x}").instrumental
        and not RouterPrompt(lyrics="[verse]\nhello").instrumental
    )
