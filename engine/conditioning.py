"""What the transformer listens to: lyrics, one timbre token and the caption, packed as ACE-Step packs them.

Encoded with the pipeline's own ``encode_prompt``, so that training and singing see the same; and which of the packed
tokens belong to words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import torch

from engine.lyrics import parse_lyrics
from engine.song_model import SongModel
from engine.tokenizer import SongTokenizer, lyric_tokens

#: ACE-Step encodes the timbre of thirty seconds of reference sound, here of silence.
_REFERENCE_SECONDS = 30
#: ACE-Step hears no more of the lyrics than this.
MAX_LYRIC_TOKENS = 2048


class TokenKind(IntEnum):
    """What a packed token stands for; ``STRUCTURE`` are headers, section tags and markers among the lyrics."""

    PADDING = 0
    WORD = 1
    STRUCTURE = 2
    TIMBRE = 3
    CAPTION = 4


@dataclass(frozen=True)
class Condition:
    """``packed`` [1, tokens, width] and the :class:`TokenKind` of each token, int8 [tokens]."""

    packed: torch.Tensor
    kinds: torch.Tensor


@torch.inference_mode()
def encode_condition(
    model: SongModel, caption: str, lyrics: str, seconds: float, tempo: float | None = None
) -> Condition:
    """Encode one song's caption and lyrics; ``tempo`` in beats per minute goes into the prompt's metadata."""
    pipeline, device = model.pipeline, model.device
    text, text_mask, lyric, lyric_mask = pipeline.encode_prompt(
        prompt=caption,
        lyrics=lyrics,
        device=device,
        audio_duration=seconds,
        bpm=None if tempo is None else round(tempo),
    )
    reference = model.condition_encoder.silence_latent[:, : round(_REFERENCE_SECONDS * model.frame_rate)]
    packed: torch.Tensor = model.condition_encoder(
        text_hidden_states=text,
        text_attention_mask=text_mask,
        lyric_hidden_states=lyric,
        lyric_attention_mask=lyric_mask,
        refer_audio_acoustic_hidden_states_packed=reference.to(device, model.dtype),
        refer_audio_order_mask=torch.zeros(1, dtype=torch.long, device=device),
    )[0]
    kinds = [
        *lyric_kinds(pipeline, lyrics)[: lyric.shape[1]],
        TokenKind.TIMBRE,
        *[TokenKind.CAPTION] * text.shape[1],
    ]
    return Condition(packed, torch.tensor(kinds, dtype=torch.int8))


def lyric_kinds(pipeline: Any, lyrics: str) -> list[TokenKind]:
    """The kind of every lyric token: a word's, or structure around words.

    ACE-Step wraps the lyrics in a header and an end marker; both, everything in square brackets, and markers that were
    typed are structure.
    """
    if isinstance(pipeline.tokenizer, SongTokenizer):
        tokens = lyric_tokens(parse_lyrics(lyrics.strip()))
        return [TokenKind.WORD if t.word >= 0 else TokenKind.STRUCTURE for t in tokens]
    _, sung, spans = sung_text(pipeline, lyrics)
    return [
        TokenKind.WORD if any(c.isalnum() for c in sung[first:last]) else TokenKind.STRUCTURE for first, last in spans
    ]


def sung_text(pipeline: Any, lyrics: str) -> tuple[str, str, list[tuple[int, int]]]:
    """For a tokenizer that cuts up text: the lyric prompt, the same with all structure blanked, and where in it each
    token begins and ends.
    """
    prompt: str = pipeline._format_prompt(prompt="", lyrics=lyrics)[1]
    header = prompt.partition("# Lyric\n")
    start = len(header[0]) + len(header[1])
    end = prompt.rfind("<|endoftext|>")
    body = prompt[:end] if end >= start else prompt
    # characters that stand for words, blanked where they are structure, so that offsets stay true
    masked = re.sub(r"\[[^\[\]\n]*\]|<\|[^|\n]*\|>", lambda tag: " " * len(tag.group()), body[start:])
    offsets = pipeline.tokenizer(prompt, truncation=True, max_length=MAX_LYRIC_TOKENS, return_offsets_mapping=True)
    return prompt, " " * start + masked, offsets["offset_mapping"]
