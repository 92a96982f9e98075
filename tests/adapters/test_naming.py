"""Names both ways, over every module of the full-size model, against the rules of diffusers' own converter."""

from __future__ import annotations

import re

import pytest
import torch
from diffusers import AceStepTransformer1DModel

from adapters.naming import diffusers_name, original_name


@pytest.fixture(scope="module")
def names() -> list[str]:
    """Every module of the 2B transformer that holds weights, by diffusers name."""
    with torch.device("meta"):
        model = AceStepTransformer1DModel()
    assert model.config.num_hidden_layers == 24 and model.config.hidden_size == 2048
    return [name for name, module in model.named_modules() if list(module.parameters(recurse=False))]


def as_the_converter_names(original: str) -> str:
    """By the rules of scripts/convert_ace_step_to_diffusers.py."""
    name = re.sub(r"^proj_(in|out)\.1$", r"proj_\1_conv", original)
    for old, new in (("q_proj", "to_q"), ("k_proj", "to_k"), ("v_proj", "to_v"), ("o_proj", "to_out.0")):
        name = re.sub(rf"\.{old}$", f".{new}", name)
    return re.sub(r"\.k_norm$", ".norm_k", re.sub(r"\.q_norm$", ".norm_q", name))


def test_every_name_of_the_full_size_model_goes_there_and_back(names: list[str]) -> None:
    assert len(names) > 24 * 14
    originals = [original_name(name) for name in names]
    assert len(set(originals)) == len(names)
    assert [diffusers_name(name) for name in originals] == names
    assert [as_the_converter_names(name) for name in originals] == names
    assert not any("to_" in name or "norm_" in name.replace("norm_out", "") for name in originals)


def test_names_that_are_right_already_stay(names: list[str]) -> None:
    assert [diffusers_name(name) for name in names] == names
    originals = [original_name(name) for name in names]
    assert [original_name(name) for name in originals] == originals


@pytest.mark.parametrize("name", ["layers.0.my_q_proj", "layers.0.q_projection", "q_norms", "proj_in.10", "to_out.01"])
def test_parts_that_only_look_alike_are_left_alone(name: str) -> None:
    assert diffusers_name(name) == name == original_name(name)


def test_prefixes_and_suffixes_are_kept() -> None:
    assert diffusers_name("decoder.layers.3.self_attn.o_proj.weight") == "decoder.layers.3.self_attn.to_out.0.weight"
    assert original_name("layers.3.cross_attn.norm_q.weight") == "layers.3.cross_attn.q_norm.weight"
