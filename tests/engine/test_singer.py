from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.denoising import timesteps
from engine.errors import Cancelled, RequestError, SongError
from engine.planning import plan_song
from engine.request import SongRequest
from engine.singer import Singer
from engine.song_model import SongModel

REQUEST = SongRequest(caption="a gentle folk song", lyrics="hello there\nmy friend", seed=3, steps=2)


def test_the_schedule_is_the_published_one() -> None:
    turbo = [1, 0.9545454545, 0.9, 0.8333333333, 0.75, 0.6428571429, 0.5, 0.3, 0]
    torch.testing.assert_close(timesteps(8, 3.0), torch.tensor(turbo))
    torch.testing.assert_close(timesteps(4, 1.0), torch.tensor([1, 0.75, 0.5, 0.25, 0]))


@pytest.mark.parametrize(("guidance", "shift"), [(1.0, 1.0), (1.0, 3.0), (4.0, 1.0)])
def test_sings_what_the_stock_pipeline_sings(
    random_model: SongModel, monkeypatch: pytest.MonkeyPatch, guidance: float, shift: float
) -> None:
    model = replace(random_model, preset=replace(random_model.preset, shift=shift, rule="apg"))
    request = REQUEST.model_copy(update={"steps": 3, "guidance": guidance})
    mine = torch.from_numpy(Singer(model).sing(request).latents)
    singer = Singer(model)
    plan, _ = plan_song(request)
    source, noise = singer.source_latents(plan, plan.frames)[None], singer.noise(request.seed, plan.frames)[None]
    # the stock pipeline takes a plan only as audio codes, so its source latents are handed in where it would make them
    pipeline = random_model.pipeline
    monkeypatch.setattr(pipeline, "prepare_src_latents", lambda **_: (source, plan.frames))
    stock = pipeline(
        prompt=request.caption,
        lyrics=request.lyrics,
        audio_duration=(plan.frames - 0.5) / 25,
        num_inference_steps=3,
        shift=shift,
        guidance_scale=guidance,
        latents=noise,
        output_type="latent",
    ).audios[0]
    assert stock.shape == mine.shape
    assert (stock - mine).abs().max() < 1e-4
    assert (mine - noise[0]).abs().max() > 1e-2, "the comparison is of songs, not of untouched noise"


def test_same_seed_same_audio_bit_for_bit(random_model: SongModel) -> None:
    singer = Singer(random_model)
    songs = [singer.sing(REQUEST.model_copy(update={"seed": seed})) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(songs[0].audio, songs[1].audio)
    assert songs[0].plan == songs[1].plan
    assert songs[0].latents.shape != songs[2].latents.shape or (songs[0].latents != songs[2].latents).any()
    peak = np.abs(songs[0].audio).max()
    assert songs[0].audio.shape[0] == 2 and peak == pytest.approx(10 ** (-1 / 20), rel=1e-4)
    assert songs[0].seconds == pytest.approx(songs[0].plan.seconds)  # type: ignore[union-attr]


@pytest.mark.parametrize("frames", [55, 56, 57])
def test_lengths_the_stock_pipeline_cannot_sing(random_model: SongModel, frames: int) -> None:
    song = Singer(random_model).sing(SongRequest(duration=frames / 25, steps=1, seed=1))
    assert song.latents.shape == (frames, 64)


def test_captions_without_words_and_a_saved_plan(random_model: SongModel) -> None:
    singer = Singer(random_model)
    first = singer.sing(REQUEST)
    again = singer.sing(SongRequest(**{**REQUEST.model_dump(), "plan": first.plan}))
    np.testing.assert_array_equal(first.audio, again.audio)
    with pytest.raises(RequestError, match="5 sung notes and the lyrics 1 syllables"):
        singer.sing(SongRequest(lyrics="hey", plan=first.plan))


def test_stops_at_the_next_step_when_cancelled(random_model: SongModel) -> None:
    steps: list[int] = []
    with pytest.raises(Cancelled):
        Singer(random_model).sing(
            REQUEST.model_copy(update={"steps": 9}), lambda s: steps.append(s.done), lambda: len(steps) >= 2
        )
    assert steps == [1, 2]


def test_a_broken_song_is_an_error_not_noise(random_model: SongModel, monkeypatch: pytest.MonkeyPatch) -> None:
    singer = Singer(random_model)
    monkeypatch.setattr(singer, "noise", lambda *_: torch.full((plan_song(REQUEST)[0].frames, 64), torch.nan))
    with pytest.raises(SongError, match="not-a-number"):
        singer.sing(REQUEST)


def test_too_long_for_the_model(random_model: SongModel) -> None:
    with pytest.raises(RequestError, match=r"duration: 60 s is too long: .* at most 24 s"):
        Singer(random_model).sing(SongRequest(duration=60))
