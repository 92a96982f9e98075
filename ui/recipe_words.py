"""How an adapter was trained, in words: the settings of its recipe that a person can judge, each with its hint.

Knows the names that ``training.adapter_options`` writes into a card. A card may come from anywhere: what is not
understood is shown as it stands there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from adapters.card import AdapterCard
from ui.hints import hint

#: Variant of the study -> what it was trained with.
VARIANTS: Mapping[str, str] = {
    "lyrics": "Trained with the lyrics",
    "nolyrics": "Trained without lyrics",
    "lyrics-asr": "Trained with the lyrics, and with attention made sharper",
    "nolyrics-asr": "Trained without lyrics, and with attention made sharper",
}
_TARGETS = {
    "cross": "attention to style and words",
    "self": "attention within the song",
    "both": "all attention",
    "both+mlp": "all attention and the feed-forward layers",
}
_SHARPNESS = {
    "entropy": "over everything that is attended to (entropy)",
    "lyric-entropy": "over the words alone (lyric entropy)",
    "mutual-information": "every moment at its word, all words used (mutual information)",
}
_SCHEDULES = {
    "constant": "the same throughout",
    "ramp": "growing over the first half",
    "decay": "falling to nothing",
}
#: Settings that tell nothing of how the adapter came out, and those that are told otherwise.
_SKIPPED = frozenset(
    "variant rank alpha mixed_precision gradient_checkpointing validation_share measure_every validate_every "
    "save_every".split()
)
_LONGEST = 160

_Words = Callable[[Any], str]


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"{float(value):g}"


def _one_of(words: Mapping[str, str]) -> _Words:
    return lambda value: words.get(str(value), str(value))


#: Setting -> what it is called, its hint, and how its value is said; in the order in which they are shown.
_SETTINGS: tuple[tuple[str, str, str, _Words], ...] = (
    ("targets", "Changes", "targets", _one_of(_TARGETS)),
    ("steps", "Training steps", "training_steps", _number),
    ("epochs", "Times through the corpus", "epochs", _number),
    ("batch", "Clips at once", "batch", _number),
    ("learning_rate", "Learning rate", "learning_rate", _number),
    ("warmup", "Steps of warm-up", "warmup", _number),
    ("dropout", "Dropout", "dropout", _number),
    ("sharpness", "Attention made sharp", "sharpness", _one_of(_SHARPNESS)),
    ("sharpness_weight", "How strongly", "sharpness_weight", _number),
    ("sharpness_schedule", "Over the training", "sharpness_weight", _one_of(_SCHEDULES)),
    ("seed", "Seed of the training", "training_seed", _number),
)


def describe_variant(card: AdapterCard) -> str:
    """What kind of adapter it is, in words."""
    if card.variant is not None:
        return VARIANTS[card.variant]
    made = card.source.partition(":")[0]
    return f"Made elsewhere, read from a {made} file" if card.source else "Made elsewhere"


def describe_recipe(card: AdapterCard) -> list[tuple[str, str]]:
    """Names with their hints and values of the recipe's settings, as HTML."""
    rows = [("Rank" + hint("rank"), str(card.rank)), ("Alpha" + hint("alpha"), f"{card.alpha:g}")]
    recipe = {name: value for name, value in card.recipe.items() if name not in _SKIPPED and value is not None}
    if card.variant is not None and not card.variant.endswith("-asr"):  # its settings stand there unused
        recipe = {name: value for name, value in recipe.items() if not name.startswith("sharpness")}
    if "steps" in recipe:  # which replace the epochs
        recipe.pop("epochs", None)
    for name, label, term, words in _SETTINGS:
        if name in recipe:
            rows.append((label + hint(term), escape(_say(recipe.pop(name), words))))
    rows += [(escape(_short(name).replace("_", " ")), escape(_short(value))) for name, value in recipe.items()]
    return rows


def _say(value: Any, words: _Words) -> str:
    try:
        return _short(words(value))
    except (TypeError, ValueError, OverflowError):
        return _short(value)


def _short(value: Any) -> str:
    """A value of a card as a line of text: it may hold anything that JSON can."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = "not shown: it is no plain value"
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
