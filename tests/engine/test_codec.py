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


def sung(seed: int, frames: int = 300) -> npt.NDArray[np.float32]:
    """Features of a voice that glides, with vowels and breath of its own: what WORLD does not find again as it was."""
    rng = np.random.default_rng(seed)
    features = analyse(sung_vowel(rng.choice([125.0, 160.0, 200.0]), frames / 100))[:frames]
    vowels = np.repeat(rng.normal(size=(frames // 20, 32)), 20, 0) * np.geomspace(1.0, 0.1, 32)
    features[:, :32] += vowels.astype(np.float32)
    features[:, 34] = -6 - 10 * rng.random()
    return features.astype(np.float32)


@pytest.fixture(scope="module")
def mended() -> tuple[WorldCodec, float, float]:
    songs = [sung(seed) for seed in range(4)]
    codec = WorldCodec()
    codec.fit(songs)
    before, after = codec.fit_encoder(songs)
    return codec, before, after


def encoding_error(codec: WorldCodec, features: npt.NDArray[np.float32]) -> float:
    """Mean squared error of latents that went through sound, at the interface's 48 kHz stereo."""
    from scipy.signal import resample_poly

    true = codec.features_to_latents(features)
    sound = resample_poly(synthesise(features), 3, 1)
    found = codec.encode(torch.from_numpy(np.stack([sound, sound]).astype(np.float32))[None]).latent_dist.mode()
    assert found.shape == (1, 64, len(true))
    return float(((found[0].T.numpy() - true) ** 2).mean())


def test_encoding_undoes_decoding_better_once_the_encoder_is_fitted(mended: tuple[WorldCodec, float, float]) -> None:
    codec, before, after = mended
    assert after < 0.5 * before
    plain = WorldCodec()
    plain.load_state_dict({**codec.state_dict(), "mending": plain.mending})
    for seed in (100, 101):  # songs it was not fitted to
        song = sung(seed)
        assert encoding_error(codec, song) < 0.7 * encoding_error(plain, song)


def test_the_figures_of_the_fit_are_those_of_encoding(mended: tuple[WorldCodec, float, float]) -> None:
    codec, _, after = mended
    found = np.mean([encoding_error(codec, sung(seed)) for seed in range(4)])
    assert found == pytest.approx(after, rel=0.25), "resampling to 48 kHz and back is all that differs"


def test_decoding_knows_nothing_of_the_mending(mended: tuple[WorldCodec, float, float]) -> None:
    codec = mended[0]
    plain = WorldCodec()
    plain.load_state_dict({**codec.state_dict(), "mending": plain.mending})
    latents = torch.randn(1, 64, 20, generator=torch.Generator().manual_seed(0))
    assert torch.equal(codec.decode(latents).sample, plain.decode(latents).sample)


def test_a_fitted_encoder_is_saved_with_its_codec(mended: tuple[WorldCodec, float, float], tmp_path: Path) -> None:
    codec = mended[0]
    codec.save_pretrained(tmp_path)
    loaded = WorldCodec.from_pretrained(tmp_path)
    assert torch.equal(loaded.mending, codec.mending)
    assert encoding_error(loaded, sung(7)) == encoding_error(codec, sung(7))


def test_a_codec_saved_before_there_was_an_encoder_still_works(
    mended: tuple[WorldCodec, float, float], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    codec = mended[0]
    codec.save_pretrained(tmp_path)
    file = tmp_path / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    del tensors["mending"]
    save_file(tensors, file, metadata={"format": "pt"})
    old = WorldCodec.from_pretrained(tmp_path)
    tone = torch.from_numpy(np.repeat(sung_vowel(160.0), 3))[None, None]
    found = old.encode(tone).latent_dist.mode()[0].T
    features = analyse(np.pad(sung_vowel(160.0), (0, 640)))[:100]
    # 48 kHz to 16 kHz smooths the steps of the repeated samples, so only nearly the same
    assert found.shape == (25, 64) and torch.isfinite(found).all()
    assert torch.equal(old.mending, WorldCodec().mending)
    assert np.corrcoef(found.numpy().ravel(), codec.features_to_latents(features).ravel())[0, 1] > 0.9


@pytest.mark.parametrize("frames", [1, 2, 37])
def test_as_many_frames_come_back_as_went_in(mended: tuple[WorldCodec, float, float], frames: int) -> None:
    codec = mended[0]
    latents = torch.randn(2, 64, frames, generator=torch.Generator().manual_seed(0)) * 0.1
    assert codec.encode(codec.decode(latents).sample).latent_dist.mode().shape == (2, 64, frames)


def test_silence_is_encoded_as_numbers(mended: tuple[WorldCodec, float, float]) -> None:
    assert torch.isfinite(mended[0].encode(torch.zeros(1, 2, 9600)).latent_dist.mode()).all()


def test_wild_latents_still_give_finite_audio() -> None:
    codec = WorldCodec()
    wild = torch.randn(1, 64, 10) * 100
    wild[0, 0, 3] = float("nan")
    assert torch.isfinite(codec.decode(wild).sample).all()
