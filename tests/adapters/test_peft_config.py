"""adapter_config.json: PEFT's scales, and a refusal of whatever a low-rank change cannot say."""

from __future__ import annotations

import time
from typing import Any

import peft
import pytest

from adapters.errors import AdapterError
from adapters.peft_config import read_peft_config

PLAIN = {"peft_type": "LORA", "r": 4, "lora_alpha": 8}


def test_the_defaults_of_todays_peft_are_understood() -> None:
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj"]).to_dict()
    assert read_peft_config(config).scale("layers.0.self_attn.q_proj", 4) == 2.0


def test_scales() -> None:
    scales = read_peft_config(
        PLAIN
        | {
            "rank_pattern": {"layers.1.cross_attn.q_proj": 2, r"self_attn\.q_proj": 16, "v_proj": 1},
            "alpha_pattern": {".*cross_attn.*": 3, "v_proj": 5},
        }
    )
    assert scales.scale("layers.0.self_attn.k_proj", 4) == 2.0
    assert scales.scale("layers.1.cross_attn.q_proj", 2) == 1.5
    assert scales.scale("layers.11.self_attn.q_proj", 16) == 0.5
    assert scales.scale("layers.1.cross_attn.v_proj", 1) == 3.0, "the first pattern counts"
    assert scales.scale("layers.1.self_attn.v_proj", 1) == 5.0
    assert scales.scale("layers.1.self_attn.prev_proj", 4) == 2.0, "a pattern covers whole parts of the name"
    with pytest.raises(AdapterError, match="gives x rank 4, but its weights have rank 5"):
        scales.scale("x", 5)
    assert read_peft_config(PLAIN | {"use_rslora": True}).scale("x", 4) == 4.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"r": 0}, "r in adapter_config.json is 0: a rank is a whole number from 1 to 65536"),
        ({"r": -8}, "is -8"),
        ({"r": 10**9}, "is 1000000000"),
        ({"r": 8.5}, r"is 8\.5"),
        ({"r": True}, "is True"),
        ({"r": None}, "is None"),
        ({"lora_alpha": "16"}, "lora_alpha in adapter_config.json is 16: alpha is a number"),
        ({"lora_alpha": float("nan")}, "is nan"),
        ({"lora_alpha": float("inf")}, "is inf"),
        ({"lora_alpha": 1e9}, "from -1e[+]06 to 1e[+]06"),
        ({"rank_pattern": {"q_proj": 0}}, "rank_pattern in adapter_config.json is 0"),
        ({"rank_pattern": [1]}, "no object of at most 4096 entries"),
        ({"alpha_pattern": {"q_proj": None}}, "alpha_pattern in adapter_config.json is None"),
        ({"alpha_pattern": {f"m{i}": 1 for i in range(5000)}}, "no object of at most 4096 entries"),
        ({"alpha_pattern": {"(a+)+b": 1}}, r"holds the pattern '\(a\+\)\+b'"),
        ({"alpha_pattern": {"[": 1}}, r"holds the pattern '\['"),
        ({"bias": "lora_only"}, "bias 'lora_only'"),
        ({"modules_to_save": ["proj_out"]}, "modules trained in full"),
        ({"use_dora": True}, "DoRA"),
        ({"lora_bias": True}, "trained biases"),
        ({"fan_in_fan_out": True}, "transposed"),
        ({"layer_replication": [[0, 1]]}, "replicated"),
        ({"init_lora_weights": "pissa"}, "began as pissa, which takes a part out of the base weights"),
        ({"init_lora_weights": "pissa_niter_4"}, "pissa_niter_4"),
        ({"init_lora_weights": "loftq"}, "loftq"),
        ({"peft_type": "LOKR"}, "is of a LOKR adapter"),
        ({"peft_type": 3}, "is of a 3 adapter"),
        ({"use_what_comes_next": True}, "sets use_what_comes_next, whose effect is not known"),
    ],
)
def test_what_cannot_be_reproduced_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(AdapterError, match=message):
        read_peft_config(PLAIN | change)


def test_no_pattern_takes_long() -> None:
    scales = read_peft_config(PLAIN | {"alpha_pattern": {"[ab]*[ab]*c": 1}})
    start = time.perf_counter()
    scales.scale("ab." * 100, 4)
    assert time.perf_counter() - start < 2
