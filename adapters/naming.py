"""Names of the transformer's modules: as diffusers calls them, and as ACE-Step's own code does.

Inside Choirmaster every module is called by its diffusers name (``layers.0.cross_attn.to_q``); other names exist only
in files that come in or go out.
"""

from __future__ import annotations

import re

#: ACE-Step's name of a part of a dotted path -> diffusers' name of it (scripts/convert_ace_step_to_diffusers.py there).
_PARTS = {
    "q_proj": "to_q",
    "k_proj": "to_k",
    "v_proj": "to_v",
    "o_proj": "to_out.0",
    "q_norm": "norm_q",
    "k_norm": "norm_k",
    "proj_in.1": "proj_in_conv",
    "proj_out.1": "proj_out_conv",
}
_BACK = {ours: theirs for theirs, ours in _PARTS.items()}


def diffusers_name(original: str) -> str:
    """``layers.0.self_attn.o_proj`` -> ``layers.0.self_attn.to_out.0``; diffusers names stay as they are."""
    return _replace(original, _PARTS)


def original_name(diffusers: str) -> str:
    """``layers.0.self_attn.to_out.0`` -> ``layers.0.self_attn.o_proj``; original names stay as they are."""
    return _replace(diffusers, _BACK)


def _replace(name: str, table: dict[str, str]) -> str:
    alternatives = "|".join(re.escape(part) for part in table)
    return re.sub(rf"(?<![^.])({alternatives})(?![^.])", lambda found: table[found.group()], name)
