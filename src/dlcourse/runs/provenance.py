"""Where a result comes from: package versions and git commit."""

import platform
import subprocess
from functools import cache
from pathlib import Path


@cache
def versions(*more: str) -> dict[str, str]:
    """Versions of what a figure may depend on, and of `more` distributions."""
    from importlib.metadata import version

    found = {name: version(name) for name in ("dlcourse", "torch", "lightning", "hydra-core", "numpy", *more)}
    return {"python": platform.python_version()} | found


@cache  # the code is what was imported, so one answer is right for all runs of a process
def git_commit() -> str | None:
    """The checkout's commit, with `-dirty` where files differ from it; None outside of one."""
    checkout = Path(__file__).parents[3]
    if not (checkout / ".git").exists():
        return None  # installed: the repository around it, if any, is somebody else's
    try:
        call = ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
        found = subprocess.run(call, cwd=checkout, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
