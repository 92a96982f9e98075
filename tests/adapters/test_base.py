"""One song model has one fingerprint: loaded or on disk, whole or in shards, in any type it may be loaded as."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from diffusers import AceStepTransformer1DModel

from adapters.base import Base
from adapters.errors import AdapterError
from adapters.places import TINY_MODEL
from tests.adapters.exported import transformer


@pytest.mark.parametrize(("size", "files"), [("5GB", 1), ("150KB", 4)])
def test_a_folder_whole_or_sharded_is_the_base_that_is_loaded_from_it(tmp_path: Path, size: str, files: int) -> None:
    model = transformer()
    model.save_pretrained(tmp_path, max_shard_size=size)
    assert len(list(tmp_path.glob("*.safetensors"))) >= files
    assert Base.of_folder(tmp_path) == Base.of(model) == Base.of(AceStepTransformer1DModel.from_pretrained(tmp_path))


def test_the_shapes_are_those_of_the_linear_layers() -> None:
    model = transformer()
    shapes = Base.of(model).shapes
    assert shapes["layers.1.cross_attn.to_k"] == (32, 48) and shapes["layers.0.mlp.down_proj"] == (48, 96)
    assert all(tuple(model.get_submodule(name).weight.shape) == shape for name, shape in shapes.items())
    assert not any("norm" in name or "scale_shift" in name or "conv" in name for name in shapes)


def test_loading_in_half_precision_keeps_the_fingerprint() -> None:
    folder = TINY_MODEL / "transformer"  # stored as float16
    on_disk = Base.of_folder(folder)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        assert Base.of(AceStepTransformer1DModel.from_pretrained(folder, torch_dtype=dtype)) == on_disk
    model = transformer()
    whole = Base.of(model)
    assert Base.of(model.to(torch.bfloat16)) == whole


@pytest.mark.parametrize("name", ["layers.2.cross_attn.to_q", "layers.0.mlp.up_proj", "condition_embedder"])
def test_a_changed_weight_is_another_base(name: str) -> None:
    model = transformer()
    before = Base.of(model)
    model.get_submodule(name).weight[0, 3] += 0.5
    after = Base.of(model)
    assert after.fingerprint != before.fingerprint and after.shapes == before.shapes


def test_what_is_no_linear_layer_does_not_change_the_base() -> None:
    """Adapters change linear layers alone, so they fit whatever stands beside."""
    model = transformer()
    before = Base.of(model)
    model.get_submodule("layers.0.self_attn.norm_q").weight += 1
    assert Base.of(model) == before


def test_shards_of_an_earlier_save_and_variants_are_not_read(tmp_path: Path) -> None:
    model = transformer()
    model.save_pretrained(tmp_path)
    shutil.copy(tmp_path / "diffusion_pytorch_model.safetensors", tmp_path / "diffusion_pytorch_model.fp16.safetensors")
    (tmp_path / "diffusion_pytorch_model-00001-of-00009.safetensors").write_bytes(b"old and torn")
    assert Base.of_folder(tmp_path) == Base.of(model)


def test_files_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"diffusion_pytorch_model\.safetensors is missing: give"):
        Base.of_folder(tmp_path)
    (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(b"no header")
    with pytest.raises(AdapterError, match=r"cannot be read .*: fetch it again"):
        Base.of_folder(tmp_path)
    transformer().save_pretrained(tmp_path / "sharded", max_shard_size="150KB")
    next((tmp_path / "sharded").glob("*-00002-of-*")).unlink()
    with pytest.raises(AdapterError, match=r"00002-of-\d+\.safetensors is missing"):
        Base.of_folder(tmp_path / "sharded")
    (tmp_path / "sharded" / "diffusion_pytorch_model.safetensors.index.json").write_text("[]")
    with pytest.raises(AdapterError, match="is damaged: fetch it again"):
        Base.of_folder(tmp_path / "sharded")
