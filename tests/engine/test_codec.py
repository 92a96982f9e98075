from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from engine.codec import LOG_F0, VOICING, WORLD_RATE, WorldCodec, analyse, synthesise


def sung_vowel(hertz: float, seconds: float = 1.0) -> npt.NDArray[np.float32]:
    """A pulse train through one resonance: a steady vowel-like tone of known pitch."""
    from scipy.signal import lfilter

    pulses = np.zeros(int(WORLD_RATE * seconds))
    pulses[:: round(WORLD_RATE / hertz)] = 1.0
    angle, radius = 2 * np.pi * 700 / WORLD_RATE, 0.97
    tone: npt.NDArray[np.float64] = lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], pulses)
    sound: npt.NDArray[np.float32] = (tone / np.abs(tone).max() * 0.5).astype(np.float32)
    return sound


@pytest.mark.parametrize("hertz", [125.0, 160.0, 250.0])
def test_recovers_a_planted_pitch_twice(hertz: float) -> None:
    features = analyse(sung_vowel(hertz))
    middle = features[20:-20]
    assert np.median(middle[:, VOICING]) == 1
    assert np.exp(np.median(middle[:, LOG_F0])) == pytest.approx(hertz, rel=0.01)
    again = analyse(synthesise(features))[20:-20]
    assert np.exp(np.median(again[:, LOG_F0])) == pytest.approx(hertz, rel=0.02)


def test_recovers_features_of_low_rank() -> None:
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(20, 140))
    features = (rng.normal(size=(300, 20)) @ patterns).reshape(-1, 35).astype(np.float32)
    codec = WorldCodec()
    assert codec.fit([features]) == pytest.approx(1.0, abs=1e-5)
    latents = codec.features_to_latents(features)
    assert latents.shape == (300, 64)
    assert np.sqrt((latents**2).mean()) == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(codec.latents_to_features(latents), features, atol=2e-3)


def test_has_the_interface_of_the_real_autoencoder(tmp_path: Path) -> None:
    codec = WorldCodec()
    codec.fit([analyse(sung_vowel(150.0, 2.0))])
    codec.save_pretrained(tmp_path)
    loaded = WorldCodec.from_pretrained(tmp_path)
    assert int(np.prod(loaded.config.downsampling_ratios)) == loaded.config.sampling_rate // 25
    tone = np.repeat(sung_vowel(150.0), 3)
    audio = torch.from_numpy(np.stack([tone, tone]))[None]
    latents = loaded.encode(audio).latent_dist.sample()
    assert latents.shape == (1, 64, 25)
    decoded = loaded.decode(latents).sample
    assert decoded.shape == (1, 2, 48000) and decoded.abs().max() == pytest.approx(0.8, abs=1e-3)
    torch.testing.assert_close(loaded.decode(latents, return_dict=False)[0], codec.decode(latents).sample)


def test_wild_latents_still_give_finite_audio() -> None:
    codec = WorldCodec()
    wild = torch.randn(1, 64, 10) * 100
    wild[0, 0, 3] = float("nan")
    assert torch.isfinite(codec.decode(wild).sample).all()
