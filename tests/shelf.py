"""A shelf of random adapters for the attention of a transformer, for tests that sing with them."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.base import Base
from adapters.card import AdapterCard, BaseCard
from adapters.store import AdapterStore
from adapters.weights import AdapterWeights, describe_weights
from engine.song_model import SongModel
from tests.adapters.exported import adapter


def own_transformer(model: SongModel) -> SongModel:
    """The model with a transformer of its own, since the fixture's is every test's."""
    pipeline = copy.copy(model.pipeline)
    pipeline.transformer = copy.deepcopy(model.transformer)
    return replace(model, pipeline=pipeline)


#: Targets, rank (one more in every second layer) and scale of the planted adapters.
PLANTED = {
    "folk": (("to_q", "to_k", "to_v", "to_out.0"), 2, 2.0),
    "rock": (("to_v", "to_out.0"), 5, 0.5),
}


def make_shelf(folder: Path, transformer: Any, seed: int = 0) -> AdapterStore:
    """The adapters ``folk`` and ``rock``, of ranks, layers and scales of their own."""
    shelf = AdapterStore(folder)
    for name in PLANTED:
        put(shelf, name, planted(transformer, name, seed), transformer)
    return shelf


def planted(transformer: Any, name: str, seed: int = 0) -> AdapterWeights:
    targets, rank, scale = PLANTED[name]
    return adapter(transformer, targets, rank, scale, seed=seed + rank)


def put(shelf: AdapterStore, name: str, weights: AdapterWeights, transformer: Any) -> None:
    base = Base.of(transformer)
    card = AdapterCard(
        name=name,
        created=datetime(2026, 1, 2, tzinfo=UTC),
        base=BaseCard(name="planted", fingerprint=base.fingerprint),
        **describe_weights(weights),
    )
    shelf.add(name, weights, card, base=base)
