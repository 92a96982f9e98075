"""A recipe is told in words, and whatever stands in a card of elsewhere is told as it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.card import AdapterCard, BaseCard
from training.adapter_options import AdapterOptions
from ui.recipe_words import describe_recipe, describe_variant


def card(**fields: Any) -> AdapterCard:
    given = {"rank": 8, "alpha": 16.0, "layers": 2, "parameters": 100, "targets": ("cross_attn.to_q",), **fields}
    base = BaseCard(name="tiny", fingerprint="0" * 16)
    return AdapterCard(name="mine", created=datetime(2026, 1, 2, tzinfo=UTC), base=base, **given)


def told(found: AdapterCard) -> dict[str, str]:
    return {re.sub("<.*", "", name): value for name, value in describe_recipe(found)}


def test_our_own_recipe_is_told_in_words() -> None:
    options = AdapterOptions(variant="lyrics-asr", sharpness="lyric-entropy", sharpness_schedule="ramp", steps=1200)
    rows = told(card(variant="lyrics-asr", recipe=options.model_dump(mode="json")))
    assert (rows["Rank"], rows["Alpha"], rows["Changes"]) == ("8", "16", "all attention")
    assert (rows["Training steps"], rows["Learning rate"]) == ("1,200", "0.0001")
    assert rows["Attention made sharp"] == "over the words alone (lyric entropy)"
    assert (rows["How strongly"], rows["Over the training"]) == ("0.02", "growing over the first half")
    assert "Times through the corpus" not in rows and "epochs" not in rows  # which the steps replace
    assert rows["padding"] == "masked"


def test_sharpness_is_told_only_where_it_was_used() -> None:
    options = AdapterOptions(variant="lyrics").model_dump(mode="json")
    assert not [name for name in told(card(variant="lyrics", recipe=options)) if "harp" in name]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"variant": "nolyrics"}, "Trained without lyrics"),
        ({"variant": "nolyrics-asr"}, "Trained without lyrics, and with attention made sharper"),
        ({"source": "comfyui: uploaded"}, "Made elsewhere, read from a comfyui file"),
        ({}, "Made elsewhere"),
    ],
)
def test_the_variant_is_told_in_words(fields: dict[str, Any], said: str) -> None:
    assert describe_variant(card(**fields)) == said


@pytest.mark.parametrize("value", [None, [], {"a": [1]}, "x" * 10_000, "<b>", True, 10**400, "\ud800"])
@pytest.mark.parametrize("name", ["steps", "targets", "learning_rate", "<i>unknown</i>"])
def test_whatever_a_recipe_holds_is_text(name: str, value: Any) -> None:
    rows = describe_recipe(card(recipe={name: value}))
    shown = "".join(f"{key}{text}" for key, text in rows)
    assert "<b>" not in shown and "<i>" not in shown and all(len(text) < 400 for _, text in rows)
    shown.encode()
