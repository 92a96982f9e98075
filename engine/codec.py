"""A WORLD vocoder behind the interface of ACE-Step's VAE: audio <-> 25 latent frames per second x 64 channels.

``analyse`` and ``synthesise`` turn 16 kHz mono audio into 100 feature frames per second and back (Morise et al. 2016,
"WORLD: a vocoder-based high-quality speech synthesis system"); four frames at a time are whitened into one latent by a
linear map fitted on the corpus. Knows nothing about words.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from scipy.signal import resample_poly

with warnings.catch_warnings():  # pyworld 0.3.5 imports pkg_resources, which setuptools announces as deprecated
    warnings.simplefilter("ignore")
    import pyworld

Array = npt.NDArray[np.float32]

WORLD_RATE = 16000
FRAME_MS = 10.0
CEPSTRA = 32
#: Feature channels: 32 mel cepstra, log f0 (Hz, continuous), voicing (0 or 1), band aperiodicity (dB).
FEATURES = CEPSTRA + 3
LOG_F0, VOICING, APERIODICITY = CEPSTRA, CEPSTRA + 1, CEPSTRA + 2
FRAMES_PER_LATENT = 4
LATENT_CHANNELS = 64
LATENT_RATE = 25
FFT_SIZE = pyworld.get_cheaptrick_fft_size(WORLD_RATE, 71.0)
_F0_LIMITS = (60.0, 600.0)
#: Twice what the corpus holds; beyond it the envelope overflows.
_CEPSTRUM_LIMITS = (-40.0, 12.0)


def analyse(audio: Array) -> Array:
    """Features [frames, 35] at 100 frames/s of mono audio [samples] at 16 kHz; f0 is carried through unvoiced
    frames."""
    signal = np.ascontiguousarray(audio, np.float64)
    f0, times = pyworld.dio(signal, WORLD_RATE, f0_floor=_F0_LIMITS[0], f0_ceil=_F0_LIMITS[1], frame_period=FRAME_MS)
    f0 = pyworld.stonemask(signal, f0, times, WORLD_RATE)
    envelope = pyworld.cheaptrick(signal, f0, times, WORLD_RATE, fft_size=FFT_SIZE)
    aperiodicity = pyworld.d4c(signal, f0, times, WORLD_RATE, fft_size=FFT_SIZE)
    voiced = f0 > 0
    log_f0 = np.full(len(f0), np.log(165.0))
    if voiced.any():
        log_f0 = np.interp(np.arange(len(f0)), np.flatnonzero(voiced), np.log(f0[voiced]))
    return np.column_stack(
        [
            pyworld.code_spectral_envelope(envelope, WORLD_RATE, CEPSTRA),
            log_f0,
            voiced,
            pyworld.code_aperiodicity(aperiodicity, WORLD_RATE)[:, 0],
        ]
    ).astype(np.float32)


def synthesise(features: Array) -> Array:
    """Mono audio [frames * 160] at 16 kHz, not normalised, of features [frames, 35]."""
    values = np.nan_to_num(features.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    f0 = np.exp(np.clip(values[:, LOG_F0], *np.log(_F0_LIMITS)))
    f0[values[:, VOICING] < 0.5] = 0.0
    cepstra = np.ascontiguousarray(np.clip(values[:, :CEPSTRA], *_CEPSTRUM_LIMITS))
    envelope = pyworld.decode_spectral_envelope(cepstra, WORLD_RATE, FFT_SIZE)
    bands = np.ascontiguousarray(np.clip(values[:, APERIODICITY:], -60.0, 0.0))
    audio = pyworld.synthesize(
        np.ascontiguousarray(f0),
        envelope,
        pyworld.decode_aperiodicity(bands, WORLD_RATE, FFT_SIZE),
        WORLD_RATE,
        FRAME_MS,
    )
    length = len(features) * int(WORLD_RATE * FRAME_MS / 1000)
    # wild latents may blow up; what no ear could bear is cut before it overflows
    audio = np.clip(np.nan_to_num(audio), -1e6, 1e6)
    return np.pad(audio, (0, max(0, length - len(audio))))[:length].astype(np.float32)


@dataclass
class Encoded:
    """What ``encode`` returns; ``latent_dist`` as in diffusers' autoencoders. The codec is deterministic."""

    latent_dist: LatentPoint


@dataclass
class LatentPoint:
    """A distribution with all its mass on one latent [batch, 64, frames]."""

    mean: torch.Tensor

    def sample(self, generator: torch.Generator | None = None) -> torch.Tensor:
        return self.mean

    def mode(self) -> torch.Tensor:
        return self.mean


@dataclass
class Decoded:
    """What ``decode`` returns: ``sample`` [batch, channels, samples]."""

    sample: torch.Tensor


class WorldCodec(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Linear latents over WORLD features, with the interface of ``AutoencoderOobleck``.

    Args:
        sampling_rate: rate of the audio at the interface, Hz; WORLD itself works at 16 kHz.
        downsampling_ratios: their product is the number of audio samples per latent frame.
        audio_channels: channels at the interface; the voice is mono and copied to each.
        decoder_input_channels: latent channels.
    """

    mean: torch.Tensor
    scale: torch.Tensor
    basis: torch.Tensor

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        sampling_rate: int = 48000,
        downsampling_ratios: tuple[int, ...] = (1920,),
        audio_channels: int = 2,
        decoder_input_channels: int = LATENT_CHANNELS,
    ) -> None:
        super().__init__()
        stacked = FEATURES * FRAMES_PER_LATENT
        self.mean = torch.nn.Parameter(torch.zeros(FEATURES), requires_grad=False)
        self.scale = torch.nn.Parameter(torch.ones(FEATURES), requires_grad=False)
        # column k of ``basis`` is the feature pattern of latent channel k; ``inverse`` maps features to latents
        self.basis = torch.nn.Parameter(torch.eye(stacked, decoder_input_channels), requires_grad=False)
        self.inverse = torch.nn.Parameter(torch.eye(decoder_input_channels, stacked), requires_grad=False)
        # what audio loses between synthesis and analysis, mended from three neighbouring latents; see fit_encoder
        mending = torch.zeros(3 * decoder_input_channels + 1, decoder_input_channels)
        mending[decoder_input_channels : 2 * decoder_input_channels].fill_diagonal_(1.0)
        self.mending = torch.nn.Parameter(mending, requires_grad=False)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, **kwargs: Any) -> Any:
        """As in diffusers. A codec saved without ``mending`` gets the one that changes nothing, which diffusers would
        leave without values where it saves memory."""
        return super().from_pretrained(pretrained_model_name_or_path, **{"low_cpu_mem_usage": False, **kwargs})

    @torch.no_grad()
    def fit(self, features: list[Array]) -> float:
        """Fit the map on a corpus; returns the share of weighted variance the latents keep.

        Principal components of four stacked frames, half-whitened (scaled by the square root of their standard
        deviation), then scaled to unit root mean square.
        """
        everything = np.concatenate(features)
        mean, scale = everything.mean(0), everything.std(0)
        # cepstra share one scale, so that the map keeps log-spectral energy; the rest are weighted by how audible
        # they are
        spread = float(np.sqrt((scale[1:CEPSTRA] ** 2).mean()))
        scale[0], scale[1:CEPSTRA] = scale[0] * 1.2, spread
        scale[LOG_F0], scale[VOICING] = scale[LOG_F0] * 0.7, scale[VOICING] * 0.8
        stacked = np.concatenate([_stack((f - mean) / scale) for f in features])
        power, vectors = np.linalg.eigh(stacked.T @ stacked / len(stacked))
        order = np.argsort(-power)[: int(self.config["decoder_input_channels"])]
        gain = np.maximum(power[order], 1e-6) ** 0.25
        gain = gain * np.sqrt((((stacked @ vectors[:, order]) / gain) ** 2).mean())
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(scale))
        self.basis.copy_(torch.from_numpy(vectors[:, order] * gain))
        self.inverse.copy_(torch.from_numpy((vectors[:, order] / gain).T.copy()))
        return float(power[order].sum() / power.sum())

    @torch.no_grad()
    def fit_encoder(self, features: list[Array]) -> tuple[float, float]:
        """Fit how :meth:`encode` mends what analysis makes of synthesised audio, so that it undoes :meth:`decode`.

        WORLD does not find the same features in audio it has made itself (breath in voiced sound above all). Ridge
        regression of the true latents on the found ones, with one neighbour on either side.

        Returns:
            Mean squared error of the latents before and after, on the songs it was fitted to.
        """
        found, true = [], []
        for song in features:
            heard = analyse(synthesise(song))
            frames = min(len(heard), len(song)) // FRAMES_PER_LATENT * FRAMES_PER_LATENT
            found.append(self.features_to_latents(heard[:frames]))
            true.append(self.features_to_latents(song[:frames]))
        design, wanted = np.concatenate([_with_neighbours(f) for f in found]), np.concatenate(true)
        gram = design.T @ design + np.eye(design.shape[1], dtype=np.float32)
        mending = np.linalg.solve(gram.astype(np.float64), (design.T @ wanted).astype(np.float64))
        self.mending.copy_(torch.from_numpy(mending))
        before = float(((np.concatenate(found) - wanted) ** 2).mean())
        return before, float(((design @ mending - wanted) ** 2).mean())

    def features_to_latents(self, features: Array) -> Array:
        """Latents [frames / 4, 64] of features [frames, 35]; a rest of fewer than four frames is dropped."""
        normalised = (features - self.mean.float().numpy()) / self.scale.float().numpy()
        return np.asarray(_stack(normalised) @ self.inverse.float().numpy().T, np.float32)

    def latents_to_features(self, latents: Array) -> Array:
        """Features [4 * frames, 35] of latents [frames, 64]."""
        flat = (latents @ self.basis.float().numpy().T).reshape(-1, FEATURES)
        return np.asarray(flat * self.scale.float().numpy() + self.mean.float().numpy(), np.float32)

    @torch.no_grad()
    def encode(self, x: torch.Tensor, return_dict: bool = True) -> Any:
        """Audio [batch, channels, samples] at ``sampling_rate`` to latents [batch, 64, frames]."""
        rows = []
        for audio in x.float().mean(1).cpu().numpy():
            mono = resample_poly(audio, WORLD_RATE, int(self.config["sampling_rate"])).astype(np.float32)
            frames = round(len(mono) / WORLD_RATE * LATENT_RATE)
            features = analyse(np.pad(mono, (0, WORLD_RATE // LATENT_RATE)))[: frames * FRAMES_PER_LATENT]
            latents = _with_neighbours(self.features_to_latents(features)) @ self.mending.float().numpy()
            rows.append(torch.from_numpy(np.ascontiguousarray(latents.T, np.float32)))
        point = LatentPoint(torch.stack(rows).to(x.device, self.dtype))
        return Encoded(point) if return_dict else (point,)

    @torch.no_grad()
    def decode(self, z: torch.Tensor, return_dict: bool = True) -> Any:
        """Latents [batch, 64, frames] to audio [batch, channels, frames * 1920], each song's peak at 0.8."""
        rows = []
        rate, channels = int(self.config["sampling_rate"]), int(self.config["audio_channels"])
        for latents in z.float().cpu().numpy():
            audio = synthesise(self.latents_to_features(latents.T))
            audio = resample_poly(audio, rate, WORLD_RATE)
            peak = float(np.abs(audio).max())
            audio = audio * (0.8 / max(peak, 0.05))
            rows.append(torch.from_numpy(np.broadcast_to(audio, (channels, len(audio))).copy()))
        sample = torch.stack(rows).to(z.device, torch.float32)
        return Decoded(sample) if return_dict else (sample,)


def _with_neighbours(latents: Array) -> Array:
    """[frames, channels] to [frames, 3 * channels + 1]: the frame before, the frame, the frame after, and a one."""
    padded = np.pad(latents, ((1, 1), (0, 0)), "edge")
    ones = np.ones((len(latents), 1), np.float32)
    return np.concatenate([padded[:-2], padded[1:-1], padded[2:], ones], 1)


def _stack(features: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    """[frames, 35] to [frames // 4, 140]."""
    rows = len(features) // FRAMES_PER_LATENT
    return features[: rows * FRAMES_PER_LATENT].reshape(rows, -1)
