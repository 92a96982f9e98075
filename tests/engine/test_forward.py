"""Songs of all kinds in one pass: none feels the others, and each is what diffusers and peft make of it alone."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from diffusers import AceStepTransformer1DModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.places import SHELF
from adapters.store import AdapterStore
from engine.attention import masks
from engine.generation import Generation
from engine.request import SongRequest
from engine.scheduling import choose_batch
from engine.singer import Singer
from engine.song_model import SongModel, load_song_model
from tests.engine.reference import plain_song, with_peft
from tests.shelf import make_shelf, planted

LYRICS = ["", "hello there", "hello there\nmy friend", "we go on\n[chorus]\nover the hill and far away"]
COMPOSITIONS: list[dict[str, float]] = [{}, {"folk": 1.0}, {"rock": 1.3}, {"folk": 0.6, "rock": -0.4}]
TOLERANCE = 1e-4

pytestmark = pytest.mark.filterwarnings("ignore:Already found a `peft_config` attribute")


class Choir:
    """A model with a shelf of its own, and its songs sung alone, remembered."""

    def __init__(self, model: SongModel, folder: Path) -> None:
        self.model, self.shelf = model, make_shelf(folder, model.transformer)
        self.singer = Singer(model, self.shelf)
        self.alone = cache(self._alone)

    def _alone(self, request: str) -> torch.Tensor:
        return torch.from_numpy(self.singer.sing(SongRequest.model_validate_json(request)).latents)

    def adapted(self, composition: dict[str, float]) -> Any:
        """The transformer as peft changes it."""
        parts = [(weight, planted(self.model.transformer, name)) for name, weight in composition.items()]
        return with_peft(self.model.transformer, parts)


def with_transformer(model: SongModel, patch_size: int, rule: Literal["cfg", "apg"]) -> SongModel:
    """The model with a small random transformer; the released ones have patches of two and the other guidance."""
    torch.manual_seed(3)
    small = {"hidden_size": 64, "head_dim": 16, "intermediate_size": 96, "num_hidden_layers": 3, "sliding_window": 16}
    config = {**model.transformer.config, **small, "patch_size": patch_size}
    pipeline = copy.copy(model.pipeline)
    pipeline.transformer = AceStepTransformer1DModel.from_config(config).eval().requires_grad_(False)
    preset = replace(model.preset, rule=rule)
    return replace(model, pipeline=pipeline, preset=preset, alignment_heads={1: [0, 1], 2: [3]})


@pytest.fixture(scope="module", params=[(1, "cfg"), (2, "apg")], ids=["patches of one", "patches of two"])
def choir(request: pytest.FixtureRequest, random_model: SongModel, tmp_path_factory: pytest.TempPathFactory) -> Choir:
    return Choir(with_transformer(random_model, *request.param), tmp_path_factory.mktemp("shelf"))


@st.composite
def requests(draw: st.DrawFn) -> SongRequest:
    lyrics = draw(st.sampled_from(LYRICS))
    duration = draw(st.sampled_from([2.04, 2.6, 3.0])) if not lyrics else None
    return SongRequest(
        caption=draw(st.sampled_from(["", "folk", "a slow soul ballad, high female voice"])),
        lyrics=lyrics,
        duration=duration,
        seed=draw(st.integers(0, 3)),
        steps=draw(st.integers(1, 4)),
        guidance=draw(st.sampled_from([1.0, 3.0])),
        composition=draw(st.sampled_from(COMPOSITIONS)),
    )


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    songs=st.lists(st.tuples(requests(), st.integers(0, 4)), min_size=1, max_size=6),
    budget=st.sampled_from([1, 400, 24_000]),
)
def test_a_song_is_the_same_alone_and_in_any_company(
    choir: Choir, songs: list[tuple[SongRequest, int]], budget: int
) -> None:
    """Songs join at the ticks drawn for them, step in whatever batches are chosen, and leave when they are done."""
    waiting = [(join, choir.singer.prepare(request)) for request, join in songs]
    finished: list[Generation] = []
    running: list[Turn] = []
    tick = 0
    while waiting or running:
        running += [Turn(g) for join, g in waiting if join <= tick]
        waiting = [(join, g) for join, g in waiting if join > tick]
        tick += 1
        batch = choose_batch(running, lambda turn: (turn.song.rows, turn.song.length), budget)
        for turn, step in zip(batch, choir.singer.step([turn.song for turn in batch]) if batch else [], strict=True):
            assert not isinstance(step, Exception)
            turn.turn = tick
        finished += [turn.song for turn in running if turn.song.done]
        running = [turn for turn in running if not turn.song.done]
    assert len(finished) == len(songs)
    for song in finished:
        wanted = choir.alone(song.request.model_dump_json())
        assert song.latents.shape == wanted.shape
        assert (song.latents - wanted).abs().max() < TOLERANCE


class Turn:
    """A song in the loop and when it last stepped."""

    def __init__(self, song: Generation) -> None:
        self.song, self.turn = song, -1


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_every_song_of_a_batch_is_what_diffusers_and_peft_sing(
    choir: Choir, composition: dict[str, float], fold: bool
) -> None:
    singer = Singer(choir.model, choir.shelf, fold=fold)
    request = SongRequest(caption="folk", lyrics=LYRICS[2], seed=5, steps=3, composition=composition)
    mates = [] if fold else [request.model_copy(update={"seed": 9, "lyrics": LYRICS[1], "composition": {"rock": 2.0}})]
    batch = [singer.prepare(song) for song in (request, *mates)]
    while not batch[0].done:
        singer.step(batch)
    wanted = plain_song(choir.model, choir.adapted(composition), request)
    assert (batch[0].latents - wanted).abs().max() < TOLERANCE
    if composition:
        plain = plain_song(choir.model, choir.model.transformer, request)
        assert (wanted - plain).abs().max() > 1e-2, "the comparison is of changed songs"


def test_the_transformer_is_left_as_it_was(choir: Choir) -> None:
    transformer = choir.model.transformer
    before = {name: weight.clone() for name, weight in transformer.state_dict().items()}
    processors = [type(p).__name__ for p in transformer.attn_processors.values()]
    request = SongRequest(lyrics=LYRICS[1], seed=1, steps=1, composition={"folk": 1.0})
    first = choir.singer.sing(request.model_copy(update={"composition": {}}))
    batch = [choir.singer.prepare(request), choir.singer.prepare(request.model_copy(update={"composition": {}}))]
    choir.singer.step(batch)
    again = choir.singer.sing(request.model_copy(update={"composition": {}}))
    np.testing.assert_array_equal(first.audio, again.audio)
    assert all(torch.equal(weight, before[name]) for name, weight in transformer.state_dict().items())
    assert [type(p).__name__ for p in transformer.attn_processors.values()] == processors
    assert not any("forward" in module.__dict__ for module in transformer.modules())


def test_half_precision_sings_nearly_the_same() -> None:
    shelf = AdapterStore(SHELF)
    half = Singer(load_song_model(dtype=torch.bfloat16), shelf)
    request = SongRequest(caption="folk", lyrics=LYRICS[2], seed=1, steps=3, composition={"lyrics": 0.5})
    wanted = torch.from_numpy(Singer(load_song_model(), shelf).sing(request).latents)
    for mates in ([], [request.model_copy(update={"lyrics": LYRICS[1], "composition": {"nolyrics": 1.0}})]):
        batch = [half.prepare(song) for song in (request, *mates)]
        assert batch[0].latents.dtype == torch.bfloat16
        while not batch[0].done:
            half.step(batch)
        found = batch[0].latents.float().flatten()
        assert torch.corrcoef(torch.stack([found, wanted.flatten()]))[0, 1] > 0.999


def test_masks_hide_what_fills_up_and_nothing_else() -> None:
    frames, windows = masks([3, 5], 1, torch.device("cpu"))
    assert frames[:, 0, 0].tolist() == [[True, True, True, False, False], [True] * 5]
    for row, length in enumerate([3, 5]):
        for query in range(5):
            for key in range(5):
                near = abs(query - key) <= 1 and key < length
                assert bool(windows[row, 0, query, key]) == (near or query == key)


def test_songs_of_one_pass_do_not_share_their_faults(choir: Choir) -> None:
    request = SongRequest(lyrics=LYRICS[1], seed=1, steps=2)
    sound, ill = choir.singer.prepare(request), choir.singer.prepare(request.model_copy(update={"lyrics": LYRICS[2]}))
    ill.latents = torch.full_like(ill.latents, torch.nan)
    for _ in range(2):
        steps = choir.singer.step([ill, sound])
        assert isinstance(steps[0], Exception) and "not-a-number" in str(steps[0])
        assert ill.step == 0
    assert (sound.latents - choir.alone(request.model_dump_json())).abs().max() < TOLERANCE
