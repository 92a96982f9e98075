"""``adapter_config.json`` of PEFT, read for what it says about scale: alpha / rank per module.

Every other setting either changes nothing when the adapter sings, or changes something that a low-rank difference
cannot say; the latter are refused. Meanings: peft/tuners/lora/config.py (0.21).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from adapters.errors import AdapterError

T = TypeVar("T")

MAX_RANK = 65536
MAX_ALPHA = 1e6
MAX_PATTERNS = 4096

#: Settings that change nothing once an adapter is trained: where it came from, how it began, what was learnt.
_HARMLESS = frozenset(
    """
    r lora_alpha rank_pattern alpha_pattern use_rslora peft_type bias init_lora_weights task_type auto_mapping
    peft_version base_model_name_or_path revision inference_mode target_modules exclude_modules lora_dropout
    layers_to_transform layers_pattern megatron_config megatron_core loftq_config eva_config lora_ga_config
    qalora_group_size velora_config ensure_weight_tying runtime_config
    """.split()
)
#: Settings that do, and what they are.
_REFUSED = {
    "use_dora": "DoRA, which rescales whole weight matrices",
    "modules_to_save": "modules trained in full",
    "lora_bias": "trained biases",
    "fan_in_fan_out": "transposed weights",
    "layer_replication": "replicated layers",
    "trainable_token_indices": "trained tokens",
    "target_parameters": "bare parameters instead of layers",
    "alora_invocation_tokens": "an adapter that switches itself on by tokens",
    "corda_config": "CorDA, which alters the base weights",
}
#: Ways to begin training that leave the base weights alone; the others (PiSSA, OLoRA, LoftQ, …) take a part of them.
_INITS = (True, False, None, "gaussian", "eva", "orthogonal", "lora_ga")
#: A pattern may hold wildcards, yet no groups: nested ones could take for ever to match.
_PATTERN = re.compile(r"[\w\-.\\^$*+|\[\]]{1,200}")


@dataclass(frozen=True)
class PeftScales:
    """Rank and alpha of each module, as PEFT derives them from an adapter's config."""

    rank: int
    alpha: float
    ranks: Mapping[re.Pattern[str], int]
    alphas: Mapping[re.Pattern[str], float]
    rslora: bool

    def scale(self, module: str, rank: int) -> float:
        """alpha / rank, or alpha / sqrt(rank) for rsLoRA (Kalajdzievski 2023), of a module named as in its file.

        Raises:
            AdapterError: the config gives the module another rank than ``rank``, the one of its weights.
        """
        told = _first(self.ranks, module, self.rank)
        if told != rank:
            raise AdapterError(
                f"adapter_config.json gives {module} rank {told}, but its weights have rank {rank}: the two files do "
                "not belong together; fetch both again"
            )
        return _first(self.alphas, module, self.alpha) / (math.sqrt(rank) if self.rslora else rank)


def _first(patterns: Mapping[re.Pattern[str], T], module: str, otherwise: T) -> T:
    """The value of the first pattern that matches the end of the module's name, which is PEFT's rule."""
    return next((value for pattern, value in patterns.items() if pattern.match(module)), otherwise)


def read_peft_config(config: Mapping[str, Any], what: str = "adapter_config.json") -> PeftScales:
    """The scales in a config, once it is certain that it asks for plain LoRA.

    Raises:
        AdapterError: a setting that cannot be reproduced, or a rank or alpha that can be none.
    """
    kind = config.get("peft_type")
    if str(kind).rpartition(".")[2] != "LORA" and kind is not None:
        raise AdapterError(f"{what} is of a {str(kind)[:40]} adapter: only LoRA is read from PEFT files")
    for key, meaning in _REFUSED.items():
        if config.get(key):
            raise AdapterError(f"{what} asks for {meaning} ({key}): no low-rank change can say that; retrain without")
    if config.get("bias") not in (None, "none"):
        raise AdapterError(f"{what} has bias {config['bias']!r}: trained biases cannot be read; retrain with none")
    if config.get("init_lora_weights") not in _INITS:
        raise AdapterError(
            f"{what} began as {str(config['init_lora_weights'])[:40]}, which takes a part out of the base weights: "
            "convert it to plain LoRA first (path_initial_model_for_weight_conversion of PEFT's save_pretrained)"
        )
    unknown = sorted(key for key, value in config.items() if value and key not in _HARMLESS and key not in _REFUSED)
    if unknown:
        raise AdapterError(
            f"{what} sets {', '.join(unknown)[:200]}, whose effect is not known here: remove it from the file if you "
            "know that it changes nothing"
        )
    return PeftScales(
        rank=_rank(config.get("r"), f"r in {what}"),
        alpha=_alpha(config.get("lora_alpha"), f"lora_alpha in {what}"),
        ranks={p: _rank(v, f"rank_pattern in {what}") for p, v in _patterns(config, "rank_pattern", what)},
        alphas={p: _alpha(v, f"alpha_pattern in {what}") for p, v in _patterns(config, "alpha_pattern", what)},
        rslora=bool(config.get("use_rslora")),
    )


def _rank(value: Any, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_RANK:
        raise AdapterError(f"{what} is {str(value)[:40]}: a rank is a whole number from 1 to {MAX_RANK}")
    return value


def _alpha(value: Any, what: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= MAX_ALPHA:
        raise AdapterError(f"{what} is {str(value)[:40]}: alpha is a number from -{MAX_ALPHA:g} to {MAX_ALPHA:g}")
    return float(value)


def _patterns(config: Mapping[str, Any], key: str, what: str) -> list[tuple[re.Pattern[str], Any]]:
    """Compiled as PEFT matches them: the pattern must cover the last parts of a module's name."""
    given = config.get(key) or {}
    if not isinstance(given, dict) or len(given) > MAX_PATTERNS:
        raise AdapterError(f"{key} in {what} is no object of at most {MAX_PATTERNS} entries: fetch it again")
    out = []
    for pattern, value in given.items():
        try:
            if not _PATTERN.fullmatch(pattern) or sum(map(pattern.count, "*+")) > 2:
                raise re.error("no name")
            out.append((re.compile(rf"(.*\.)?({pattern})$"), value))
        except re.error:
            raise AdapterError(
                f"{key} in {what} holds the pattern {pattern[:80]!r}: write the module's name, with * or + at most "
                "twice"
            ) from None
    return out
