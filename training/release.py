"""A trained checkpoint to the folder that ships: fp16 safetensors in diffusers layout, plus what the engine must
know."""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from adapters.files import write_text_atomically
from engine.codec import WorldCodec
from engine.song_model import CONFIG_FILE
from engine.tokenizer import SongTokenizer
from training.alignment import PHONE_HEAD, SLOT_HEAD, SUPERVISED_LAYERS
from training.styles import STYLES, well_covered
from training.tiny import TinyParts

_PARTS = ("vae", "text_encoder", "tokenizer", "transformer", "condition_encoder", "scheduler")


def release(parts: TinyParts, codec: WorldCodec, tokenizer: SongTokenizer, folder: Path) -> None:
    """Write the song model into ``folder``, replacing its parts one by one only once all are written."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".release-") as work:
        made = Path(work)
        for name in ("text_encoder", "transformer", "condition_encoder"):
            half: Any = copy.deepcopy(getattr(parts, name))
            for tensor in (*half.parameters(), *half.buffers()):
                tensor.data = tensor.data.to(torch.float16)
            half.save_pretrained(made / name, safe_serialization=True)
        codec.register_to_config(_name_or_path="")  # else the folder it was loaded from is written down
        codec.save_pretrained(made / "vae", safe_serialization=True)
        tokenizer.save_pretrained(made / "tokenizer")
        FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0).save_pretrained(made / "scheduler")
        for name in _PARTS:
            shutil.rmtree(folder / name, ignore_errors=True)
            (made / name).rename(folder / name)
    write_text_atomically(
        folder / CONFIG_FILE,
        json.dumps(
            {
                "name": "tiny",
                "preset": "tiny",
                "planned": True,
                "lyric_alignment_layers_config": {str(n): [PHONE_HEAD, SLOT_HEAD] for n in SUPERVISED_LAYERS},
            },
            indent=1,
        )
        + "\n",
    )
    write_text_atomically(
        folder / "coverage.json",
        json.dumps(
            {
                "well_covered": well_covered(),
                "genres": {
                    genre: {
                        "coverage": style.coverage.name,
                        "share": style.coverage.share,
                        "lyrics_missing": style.coverage.missing,
                        "lyrics_partly_wrong": style.coverage.wrong,
                    }
                    for genre, style in STYLES.items()
                },
            },
            indent=1,
        )
        + "\n",
    )
