"""What a process holds of the machine's memory, as Linux tells it."""

from __future__ import annotations

from pathlib import Path


def resident_memory(process: int | str = "self", kind: str = "VmRSS") -> float | None:
    """Resident megabytes of a process, or their peak as ``VmHWM``; None where the system does not tell."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith(f"{kind}:")), None)
