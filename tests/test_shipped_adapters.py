"""The four adapters that ship with the embedded model: they fit it, they change what it sings, and no two alike."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from safetensors import safe_open

from adapters.base import Base
from adapters.card import VARIANTS, AdapterCard, Variant
from adapters.places import SHELF, TINY_MODEL
from adapters.store import AdapterStore
from engine.request import SongRequest
from engine.singer import Singer
from engine.song_model import load_song_model

STORE = AdapterStore(SHELF)
REQUEST = SongRequest(caption="gentle folk song", lyrics="the river runs behind the mill", seed=5, steps=4)


@cache
def singer() -> Singer:
    return Singer(load_song_model(), STORE)


@cache
def latents(variant: str) -> torch.Tensor:
    request = REQUEST.model_copy(update={"composition": {variant: 1.0} if variant else {}})
    return torch.from_numpy(singer().sing(request).latents)


def cards() -> dict[str, AdapterCard]:
    return {name: STORE.card(name) for name in STORE.names()}


def test_all_four_variants_ship_and_nothing_else() -> None:
    assert set(cards()) == set(VARIANTS) and not STORE.damaged()
    assert all(card.variant == name for name, card in cards().items())


def test_together_they_stay_below_eight_megabytes() -> None:
    sizes = [path.stat().st_size for path in SHELF.rglob("*") if path.is_file()]
    assert sum(sizes) < 8_000_000


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_fits_the_shipped_model_and_is_the_recipe_of_the_study(variant: Variant) -> None:
    card, weights = cards()[variant], STORE.load(variant, Base.of_folder(TINY_MODEL / "transformer"))
    assert (card.rank, card.alpha, card.layers, card.parameters) == (8, 16, 48, 172_032)
    assert (card.recipe["dropout"], card.recipe["targets"], card.recipe["sharpness_weight"]) == (0.1, "both", 0.02)
    assert len(weights) == 48 and all(layer.scale == 2 for layer in weights.values())
    with safe_open(SHELF / variant / "adapter_model.safetensors", framework="pt") as file:
        assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float16}  # noqa: SIM118


def test_all_were_trained_on_the_same_clips_with_the_same_seed() -> None:
    made = list(cards().values())
    assert len({card.corpus.fingerprint for card in made if card.corpus}) == 1
    told = [{k: v for k, v in card.recipe.items() if k != "variant"} for card in made]
    assert all(recipe == told[0] for recipe in told)


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_changes_the_song_and_leaves_the_base_as_it_was(variant: Variant) -> None:
    before = latents("")
    change = (latents(variant) - before).abs().mean() / before.abs().mean()
    assert change > 0.01, "an adapter that loads and does nothing is what users complain of"
    again = singer().sing(REQUEST).latents
    assert torch.equal(torch.from_numpy(again), before)


def test_no_two_sing_the_same() -> None:
    songs = [latents(variant) for variant in VARIANTS]
    for number, song in enumerate(songs):
        assert all((song - other).abs().max() > 1e-3 for other in songs[:number])
