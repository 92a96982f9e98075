"""Safetensors files: what is whole is read bit for bit, everything else is an error before it can do harm."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from adapters import safetensors_file
from adapters.errors import AdapterError
from adapters.safetensors_file import read_safetensors

PLANTED = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}
WHOLE = save(PLANTED, metadata={"said": "by whom"})


def with_header(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "whole.safetensors"
    path.write_bytes(WHOLE)
    found = read_safetensors(path)
    assert found.metadata == {"said": "by whom"}
    assert found.tensors.keys() == PLANTED.keys()
    for key, tensor in PLANTED.items():
        assert found.tensors[key].dtype == tensor.dtype and torch.equal(found.tensors[key], tensor)


class Bomb:
    """Unpickling it fails the test."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle was read",))


ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "should take 0 bytes, the file has 0", id="empty"),
        pytest.param(WHOLE[:5], "is cut short", id="cut in the length"),
        pytest.param(WHOLE[:30], "is cut short", id="cut in the header"),
        pytest.param(WHOLE[:-1], "should take 32 bytes and it holds 31", id="cut in the data"),
        pytest.param(WHOLE + b"x", "should take 32 bytes and it holds 33", id="longer than it says"),
        pytest.param(struct.pack("<Q", 2**63) + b"{}", "should take 9223372036854775808 bytes", id="huge header"),
        pytest.param(struct.pack("<Q", 2**64 - 1) + b"{}", "should take 18446744073709551615", id="largest header"),
        pytest.param(b"PK\x03\x04" + b"\0" * 100, "a pickle renamed to .safetensors", id="torch.save"),
        pytest.param(pickle.dumps(Bomb()), "a pickle renamed to .safetensors", id="bare pickle"),
        pytest.param(pickle.dumps(Bomb(), protocol=0), "is no safetensors file", id="old pickle"),
        pytest.param(with_header(b"{nothing"), "is not JSON", id="no JSON"),
        pytest.param(with_header(b"[" * 100000), "is not JSON", id="deep JSON"),
        pytest.param(with_header([1]), "holds a JSON list", id="a list"),
        pytest.param(with_header({"__metadata__": {"a": 1}}), "are no texts", id="metadata of numbers"),
        pytest.param(with_header({"a": 3}), "does not say where a lies", id="an entry of one number"),
        pytest.param(with_header({"a": {**ENTRY, "data_offsets": [0, "4"]}}), "no number", id="an offset of text"),
        pytest.param(with_header({"a": {**ENTRY, "dtype": "I8"}}), "stores a as I8: only BF16, F16", id="quantised"),
        pytest.param(with_header({"a": {**ENTRY, "shape": [2]}}, b"\0" * 4), "is damaged", id="a shape too large"),
        pytest.param(with_header({"a": ENTRY, "b": ENTRY}, b"\0" * 4), "is damaged", id="overlapping tensors"),
    ],
)
def test_anything_else_is_an_error(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    path.write_bytes(content)
    with pytest.raises(AdapterError, match=message):
        read_safetensors(path)


@pytest.mark.parametrize("ending", [".bin", ".pt", ".ckpt", ".PTH", ".pkl"])
def test_pickles_are_refused_unread(ending: str, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="can run any code"):
        read_safetensors(tmp_path / f"not-even-there{ending}")


def test_other_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"is no \.safetensors file"):
        read_safetensors(tmp_path / "song.flac")
    with pytest.raises(AdapterError, match="is no file"):
        read_safetensors(tmp_path / "missing.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(AdapterError, match="is no file"):
        read_safetensors(tmp_path / "folder.safetensors")


def test_limits_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "whole.safetensors"
    path.write_bytes(WHOLE)
    monkeypatch.setattr(safetensors_file, "MAX_HEADER", 10)
    with pytest.raises(AdapterError, match="the limit is 10"):
        read_safetensors(path)
    monkeypatch.setattr(safetensors_file, "MAX_FILE", 20)
    with pytest.raises(AdapterError, match="the limit is 20"):
        read_safetensors(path)


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, len(WHOLE) - 33), value=st.integers(0, 255))
def test_a_flipped_byte_of_the_header_never_crashes(
    position: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("flipped") / "odd.safetensors"
    path.write_bytes(WHOLE[:position] + bytes([value]) + WHOLE[position + 1 :])
    try:
        read_safetensors(path)
    except AdapterError as error:
        assert str(path) in str(error)
