"""Why a song failed, for the person who asked for it, and whether it was for lack of memory."""

from __future__ import annotations

import torch

from adapters.errors import ChoirmasterError

#: What a lack of memory is called where it is no error of a kind of its own.
_LACKS = ("allocate memory", "out of memory", "ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is a lack of memory, of the machine or of an accelerator."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(lack in str(error) for lack in _LACKS)


def describe_failure(error: BaseException) -> str:
    """Why a song failed, in a sentence."""
    if isinstance(error, ChoirmasterError):
        return str(error)
    if is_out_of_memory(error):
        return "there was not enough memory for this song: ask for a shorter one"
    # What other libraries say is for the log: it may name files, or anything.
    return f"the song failed ({type(error).__name__}); the log has the details"
