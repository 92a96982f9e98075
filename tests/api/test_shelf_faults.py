"""Sentences about files, told to somebody who does not see them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from adapters.errors import AdapterError, NameTaken, NoSuchAdapter, PickleRefused
from api.shelf_faults import explain, shelf_problem


@pytest.mark.parametrize(
    "folder", [Path("/srv/my songs/shelf"), Path("outputs"), Path("models/tiny/adapters"), Path(".")]
)
def test_a_folder_is_called_by_its_part_and_files_by_their_names(folder: Path) -> None:
    places = {folder: "the shelf"}
    assert explain(f"{folder.absolute()}/a/card.json is damaged.", places) == "a/card.json is damaged."
    assert explain(f"none in {folder.absolute()}: choose", places) == "none in the shelf: choose"
    if folder != Path("."):
        assert explain(f"none in {folder}: choose", places) == "none in the shelf: choose"
    assert explain("rank 0.5 of my-outputs and outputs-2: 1.5.", places) == "rank 0.5 of my-outputs and outputs-2: 1.5."


def test_the_longest_place_counts() -> None:
    places = {Path("/a"): "the outer", Path("/a/b"): "the inner", Path("/a/b/w.safetensors"): "weights"}
    told = explain("/a/b/w.safetensors in /a/b of /a, not /ab or /x/a", places)
    assert told == "weights in the inner of the outer, not /ab or /x/a"


def test_no_option_of_the_command_line_is_named() -> None:
    said = "lora_B holds values beyond 65504: give --dtype bf16 or fp32; no space is left; choose another --out"
    assert "--" not in explain(said, {})


@pytest.mark.parametrize(
    ("error", "cause", "status"),
    [
        (NoSuchAdapter("x"), None, 404),
        (NameTaken("x"), FileExistsError(), 409),
        (PickleRefused("x"), None, 415),
        (AdapterError("x"), None, 422),
        (AdapterError("x"), ValueError(), 422),
        (AdapterError("x"), OSError(errno.ENOSPC, "full"), 507),
        (AdapterError("x"), OSError(errno.EACCES, "denied"), 500),
    ],
)
def test_each_kind_of_error_has_its_status(error: AdapterError, cause: Exception | None, status: int) -> None:
    error.__cause__ = cause
    assert shelf_problem(error, {}).status == status
