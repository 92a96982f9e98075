"""A song model in diffusers' parts, told as the one checkpoint that ACE-Step's own code reads.

The inverse of diffusers' ``scripts/convert_ace_step_to_diffusers.py``: which part stands under which prefix, how its
tensors are called there, and the one configuration for all parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.naming import original_name

#: Part of a diffusers folder -> prefix of its tensors in the original checkpoint.
PREFIXES = {
    "transformer": "decoder.",
    "condition_encoder": "encoder.",
    "audio_tokenizer": "tokenizer.",
    "audio_token_detokenizer": "detokenizer.",
}
#: Stands in the condition encoder in diffusers, in a file of its own (and transposed) in the original.
SILENCE = "silence_latent"
#: Stands in the condition encoder in diffusers, without a prefix in the original.
_UNCONDITIONAL = "null_condition_emb"

_SHARED = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "in_channels",
    "audio_acoustic_hidden_dim",
    "patch_size",
    "rope_theta",
    "attention_bias",
    "attention_dropout",
    "rms_norm_eps",
    "sliding_window",
    "is_turbo",
    "model_version",
)
_ENCODER = (
    "text_hidden_dim",
    "timbre_hidden_dim",
    "num_lyric_encoder_hidden_layers",
    "num_timbre_encoder_hidden_layers",
)
#: Of the encoder where it differs from the transformer, as in the XL models.
_ENCODER_OWN = ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
#: The original has one value for both; a model where they differ cannot be told in its configuration.
_ONE_FOR_BOTH = ("head_dim", "rope_theta", "attention_bias", "rms_norm_eps", "sliding_window")
_TOKENIZER = (
    "pool_window_size",
    "fsq_dim",
    "fsq_input_levels",
    "fsq_input_num_quantizers",
    "num_attention_pooler_hidden_layers",
)


def checkpoint_name(part: str, tensor: str) -> str:
    """``transformer``, ``layers.0.self_attn.to_q.weight`` -> ``decoder.layers.0.self_attn.q_proj.weight``."""
    if part == "condition_encoder" and tensor == _UNCONDITIONAL:
        return tensor
    return PREFIXES[part] + original_name(tensor)


def checkpoint_config(parts: Mapping[str, Mapping[str, Any]], dtype: str) -> tuple[dict[str, Any], list[str]]:
    """The ``config.json`` of the original checkpoint from those of the parts, and the settings it cannot tell."""
    transformer, encoder = parts["transformer"], parts["condition_encoder"]
    layers = transformer.get("layer_types") or [
        "full_attention" if i % 2 else "sliding_attention" for i in range(transformer["num_hidden_layers"])
    ]
    config: dict[str, Any] = {
        "architectures": ["AceStepConditionGenerationModel"],
        "model_type": "acestep",
        "torch_dtype": dtype,
        "use_sliding_window": "sliding_attention" in layers,
        "layer_types": layers,
    }
    config |= {key: transformer[key] for key in _SHARED if transformer.get(key) is not None}
    config |= {key: encoder[key] for key in _ENCODER if key in encoder}
    config |= {f"encoder_{key}": encoder[key] for key in _ENCODER_OWN if encoder.get(key) != transformer.get(key)}
    tokenizer = parts.get("audio_tokenizer", {})
    config |= {key: tokenizer[key] for key in _TOKENIZER if key in tokenizer}
    differing = [
        f"{key} ({transformer.get(key)} in the transformer, {encoder.get(key)} in the condition encoder)"
        for key in _ONE_FOR_BOTH
        if transformer.get(key) != encoder.get(key)
    ]
    return config, differing
