"""A tokenizer of the kind real models have, with the part of a pipeline that wraps lyrics for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from diffusers import AceStepPipeline
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast


def real_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE as Qwen's, small enough to cut words in pieces, which ends every text with its end marker."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        ["# Languages\nen\n\n# Lyric\n[verse]\nhello my friend, we go on and on\n"] * 20, trainer
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", tokenizer.token_to_id("<|endoftext|>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<|endoftext|>", eos_token="<|endoftext|>", padding_side="right"
    )


def real_pipeline() -> Any:
    """Only what reads lyrics."""
    return SimpleNamespace(
        tokenizer=real_tokenizer(),
        _format_prompt=lambda **fields: AceStepPipeline._format_prompt(
            SimpleNamespace(_build_metadata_string=lambda **_: ""), **fields
        ),
    )
