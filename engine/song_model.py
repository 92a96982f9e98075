"""A song model: the parts of an ACE-Step pipeline, loaded from a folder or a hub, with its preset.

The embedded tiny model and the real one differ by their codec, tokenizer and preset, and by whether a plan guides them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import AceStepPipeline, AceStepTransformer1DModel, FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.ace_step.modeling_ace_step import AceStepConditionEncoder
from transformers import Qwen3Model

from adapters.places import TINY_MODEL
from engine.codec import WorldCodec
from engine.errors import ModelError
from engine.presets import PRESETS, Preset
from engine.tokenizer import SongTokenizer

CONFIG_FILE = "song_model.json"


@dataclass(frozen=True)
class SongModel:
    """Everything needed to sing. ``pipeline`` is diffusers' own and holds the five parts under their usual names.

    ``planned``: source latents come from a plan, as the embedded model was trained with; else they are silence.
    ``alignment_heads``: layer -> heads that follow the words (ACE-Step's ``lyric_alignment_layers_config``).
    """

    name: str
    pipeline: Any
    preset: Preset
    planned: bool
    alignment_heads: dict[int, list[int]] = field(default_factory=dict)

    @property
    def transformer(self) -> Any:
        return self.pipeline.transformer

    @property
    def condition_encoder(self) -> Any:
        return self.pipeline.condition_encoder

    @property
    def codec(self) -> Any:
        return self.pipeline.vae

    @property
    def decoders(self) -> int:
        """Songs worth decoding at once: WORLD works in a single thread, a neural codec fills the machine alone."""
        return 2 if isinstance(self.codec, WorldCodec) else 1

    @property
    def heads(self) -> tuple[tuple[int, int], ...]:
        """Layer and head of every cross-attention head."""
        config = self.transformer.config
        layers, heads = range(config.num_hidden_layers), range(config.num_attention_heads)
        return tuple((layer, head) for layer in layers for head in heads)

    @property
    def aligned_heads(self) -> tuple[tuple[int, int], ...]:
        """Layer and head of those of ``alignment_heads``."""
        return tuple((layer, head) for layer, heads in sorted(self.alignment_heads.items()) for head in heads)

    @property
    def sampling_rate(self) -> int:
        return int(self.codec.config.sampling_rate)

    @property
    def frame_rate(self) -> float:
        """Latent frames per second."""
        return float(self.pipeline.latents_per_second)

    @property
    def device(self) -> torch.device:
        return torch.device(self.transformer.device)

    @property
    def dtype(self) -> torch.dtype:
        found: torch.dtype = self.transformer.dtype
        return found


#: Alignment heads of the released 2B checkpoints, which diffusers' converter drops.
ALIGNMENT_HEADS_2B: dict[int, list[int]] = {2: [6], 3: [10, 11], 4: [3], 5: [8, 9], 6: [8]}


def load_song_model(
    where: str | Path = TINY_MODEL,
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    preset: str | None = None,
) -> SongModel:
    """Load the embedded model's folder, a diffusers ACE-Step folder, or a hub id in diffusers layout.

    Args:
        preset: name in ``engine.presets``; by default the model's own, "turbo" where it names none.

    Raises:
        ModelError: nothing usable is there; the text says what was looked for.
    """
    folder = Path(where)
    config: dict[str, Any] = {}
    if (folder / CONFIG_FILE).is_file():
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        pipeline = _load_tiny(folder, dtype)
    else:
        pipeline = _load_diffusers(where, dtype)
    chosen = preset or config.get("preset") or ("base" if "base" in str(where) or "sft" in str(where) else "turbo")
    if chosen not in PRESETS:
        raise ModelError(f"there is no preset {chosen!r}: choose one of {', '.join(PRESETS)}")
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    for part in (pipeline.transformer, pipeline.condition_encoder, pipeline.text_encoder):
        part.eval().requires_grad_(False)
    heads = config.get("lyric_alignment_layers_config")
    if heads is None:
        layers = pipeline.transformer.config.num_hidden_layers
        heads = ALIGNMENT_HEADS_2B if layers == 24 else {}
    return SongModel(
        name=str(config.get("name", where)),
        pipeline=pipeline,
        preset=PRESETS[chosen],
        planned=bool(config.get("planned", False)),
        alignment_heads={int(layer): list(found) for layer, found in heads.items()},
    )


def _load_tiny(folder: Path, dtype: torch.dtype) -> AceStepPipeline:
    try:
        return AceStepPipeline(
            vae=WorldCodec.from_pretrained(folder / "vae"),
            text_encoder=Qwen3Model.from_pretrained(folder / "text_encoder", dtype=dtype),
            tokenizer=SongTokenizer.from_pretrained(folder / "tokenizer"),
            transformer=AceStepTransformer1DModel.from_pretrained(folder / "transformer", torch_dtype=dtype),
            condition_encoder=AceStepConditionEncoder.from_pretrained(folder / "condition_encoder", torch_dtype=dtype),
            scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler"),
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"the song model in {folder} is incomplete or damaged ({str(error).splitlines()[0]}): check it out "
            "again, or train it with `choirmaster pretrain`"
        ) from error


def _load_diffusers(where: str | Path, dtype: torch.dtype) -> AceStepPipeline:
    folder = Path(where)
    if folder.exists() and not (folder / "model_index.json").is_file():
        raise ModelError(
            f"{folder} is no song model: it holds neither {CONFIG_FILE} (embedded model) nor model_index.json "
            "(diffusers layout)"
        )
    try:
        return AceStepPipeline.from_pretrained(str(where), torch_dtype=dtype, use_safetensors=True)
    except Exception as error:  # the hub client raises many kinds
        raise ModelError(
            f"cannot load the song model {str(where)!r} ({type(error).__name__}: "
            f"{str(error).splitlines()[0][:200]}): give a "
            "folder in diffusers layout or a hub id such as Runware/acestep-v15-turbo-diffusers"
        ) from error
