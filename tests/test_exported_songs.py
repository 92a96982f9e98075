"""What is exported sings what was heard: whole models with a composition folded in, against the composition live."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from adapters.exporting import ExportOptions, export_composition
from adapters.places import TINY_MODEL
from adapters.store import AdapterStore
from engine.request import SongRequest
from engine.singer import Singer
from engine.song_model import load_song_model
from tests.shelf import make_shelf

WISH = {"folk": 0.6, "rock": -0.3}
REQUEST = SongRequest(caption="a gentle folk song", lyrics="the kitchen light is on", seed=5, steps=6)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> tuple[Singer, AdapterStore]:
    model = load_song_model(TINY_MODEL)
    shelf = make_shelf(tmp_path_factory.mktemp("shelf"), model.transformer)
    return Singer(model, shelf), shelf


def exported(shelf: AdapterStore, folder: Path, dtype: str, shard_size: int = 5 * 10**9) -> Path:
    """A copy of the shipped model with the composition folded into its transformer."""
    shutil.copytree(TINY_MODEL, folder, ignore=shutil.ignore_patterns("transformer", "adapters"))
    options = ExportOptions("full-diffusers", dtype=dtype, shard_size=shard_size)
    export_composition(WISH, folder / "transformer", options, store=shelf, model=TINY_MODEL)
    return folder


@pytest.mark.parametrize("shard_size", [5 * 10**9, 4 * 10**6])
def test_the_exported_model_sings_the_song_of_its_composition(
    live: tuple[Singer, AdapterStore], tmp_path: Path, shard_size: int
) -> None:
    singer, shelf = live
    wanted = singer.sing(REQUEST.model_copy(update={"composition": WISH}))
    plain = singer.sing(REQUEST)
    song = Singer(load_song_model(exported(shelf, tmp_path / "model", "fp32", shard_size))).sing(REQUEST)
    assert song.plan == wanted.plan
    assert np.abs(song.latents - wanted.latents).max() < 1e-4
    assert np.abs(song.latents - plain.latents).max() > 0.1, "the comparison is of a changed song"


def test_adapters_of_the_base_do_not_fit_what_was_exported(live: tuple[Singer, AdapterStore], tmp_path: Path) -> None:
    """A composition folded in must not be sung twice over."""
    from adapters.errors import AdapterError

    _, shelf = live
    again = Singer(load_song_model(exported(shelf, tmp_path / "model", "fp16")), shelf)
    with pytest.raises(AdapterError, match="was made for the song model planted"):
        again.sing(REQUEST.model_copy(update={"composition": WISH}))
