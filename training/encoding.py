"""A corpus as the transformer sees it: latents and conditioning of every clip, encoded once and kept on disk.

Sounds go through the song model's own codec, captions and lyrics through its own ``encode_prompt``. What is kept is
named by the corpus, the encoders and whether words were given, so that nothing stale is ever read; encoding can be
stopped at any clip and goes on from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
import torch
from safetensors.torch import load_file, save
from scipy.signal import resample_poly
from torch import nn

from adapters.files import write_bytes_atomically
from engine.conditioning import encode_condition
from engine.plan import plan_latents
from engine.song_model import SongModel
from training.clip_plan import plan_of_clip
from training.manifest import ClipEntry, Corpus, CorpusError
from training.tensor_digest import digest_tensors

FOLDER = ".encoded"


@dataclass(frozen=True)
class EncodedClip:
    """``latents`` and ``source`` [frames, channels]; ``condition`` [tokens, width]; ``kinds`` int8 [tokens], each an
    ``engine.conditioning.TokenKind``."""

    latents: torch.Tensor
    source: torch.Tensor
    condition: torch.Tensor
    kinds: torch.Tensor

    @property
    def frames(self) -> int:
        return int(self.latents.shape[0])


class EncodedCorpus(Sequence[EncodedClip]):
    """Encoded clips, read from disk as they are asked for; ``frames`` [clips] are their lengths."""

    def __init__(self, sounds: Sequence[Path], prompts: Sequence[Path]) -> None:
        self._paths = list(zip(sounds, prompts, strict=True))
        self.frames = [_frames_of(path) for path in sounds]

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> EncodedClip:  # type: ignore[override]
        sounds, prompts = self._paths[index]
        return EncodedClip(**load_file(sounds), **load_file(prompts))


def encode_corpus(
    corpus: Corpus, model: SongModel, *, with_words: bool, folder: Path | None = None
) -> Iterator[tuple[int, int]]:
    """Encode what is not encoded yet; yields (clips done, clips in all).

    Raises:
        CorpusError: a sound cannot be read or is shorter than a latent frame, or the model sings from plans and the
            clip has neither a plan nor timed words.
    """
    sounds, prompts = paths(corpus, model, with_words=with_words, folder=folder)
    for done, (entry, sound, prompt) in enumerate(zip(corpus.clips, sounds, prompts, strict=True), 1):
        if not sound.exists():
            write_bytes_atomically(sound, save(_encode_sound(corpus, entry, model)))
        if not prompt.exists():
            encoded = encode_condition(model, entry.caption, entry.lyrics if with_words else "", entry.seconds)
            tensors = {"condition": encoded.packed[0].cpu().contiguous(), "kinds": encoded.kinds}
            write_bytes_atomically(prompt, save(tensors))
        yield done, len(corpus.clips)


def read_encoded(corpus: Corpus, model: SongModel, *, with_words: bool, folder: Path | None = None) -> EncodedCorpus:
    """The clips that :func:`encode_corpus` has encoded."""
    return EncodedCorpus(*paths(corpus, model, with_words=with_words, folder=folder))


def paths(
    corpus: Corpus, model: SongModel, *, with_words: bool, folder: Path | None = None
) -> tuple[list[Path], list[Path]]:
    """Where the sounds and the prompts of the clips are kept once they are encoded."""
    root = folder or corpus.folder / FOLDER
    codec, encoders = _name_of(model.codec), _name_of(model.condition_encoder, model.pipeline.text_encoder)
    tokens = json.dumps(model.pipeline.tokenizer.get_vocab(), sort_keys=True)
    encoders += hashlib.sha256(tokens.encode()).hexdigest()[:6]
    words = "words" if with_words else "nowords"
    planned = "-planned" if model.planned else ""
    sounds = root / f"sounds-{corpus.fingerprint}-{codec}{planned}"
    prompts = root / f"prompts-{corpus.fingerprint}-{encoders}-{words}"
    numbers = range(len(corpus.clips))
    return [sounds / f"{n:06d}.safetensors" for n in numbers], [prompts / f"{n:06d}.safetensors" for n in numbers]


def _encode_sound(corpus: Corpus, entry: ClipEntry, model: SongModel) -> dict[str, torch.Tensor]:
    path = corpus.folder / entry.audio
    try:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, TypeError, soundfile.SoundFileError) as error:
        raise CorpusError(f"{path} cannot be read ({error}): make the corpus anew, or take the clip out") from error
    if len(audio) < rate / model.frame_rate or not np.isfinite(audio).all():
        raise CorpusError(
            f"{path} lasts {len(audio) / rate:g} s or holds values that are no numbers, and a clip needs at least "
            f"{1 / model.frame_rate:g} s of sound: take the clip out"
        )
    wanted, channels = model.sampling_rate, int(getattr(model.codec.config, "audio_channels", 2))
    common = gcd(wanted, rate)
    sound = resample_poly(audio.T, wanted // common, rate // common, axis=1)
    sound = np.ascontiguousarray(
        np.broadcast_to(sound.mean(0), (channels, sound.shape[1])) if len(sound) != channels else sound
    )
    with torch.inference_mode():
        encoded = model.codec.encode(torch.from_numpy(sound)[None].to(model.device, model.codec.dtype))
        latents = encoded.latent_dist.mode()[0].T.float().cpu()
    return {
        "latents": latents.contiguous().clone(),
        "source": _source_latents(entry, model, len(latents)).contiguous().clone(),
    }


def _source_latents(entry: ClipEntry, model: SongModel, frames: int) -> torch.Tensor:
    if not model.planned:
        silence: torch.Tensor = model.condition_encoder.silence_latent[0].float().cpu()
        return silence[torch.arange(frames) % len(silence)]
    plan = plan_of_clip(entry, frames)
    if plan is None:
        raise CorpusError(
            f"{entry.audio} has neither a plan nor timed words of at most 24 s, and the model {model.name!r} sings "
            "from plans: give `words` in manifest.jsonl, or take the clip out"
        )
    made = torch.from_numpy(plan_latents(plan))
    padding = made[-1:].expand(max(0, frames - len(made)), -1)
    return torch.cat([made, padding])[:frames]


def _frames_of(path: Path) -> int:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return int(file.get_slice("latents").get_shape()[0])


def _name_of(*parts: nn.Module) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest_tensors(digest, part.state_dict())
    return digest.hexdigest()[:12]
