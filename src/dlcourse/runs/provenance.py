"""Provenance of a result: package versions, processor and git commit."""

import contextlib
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any


@cache
def versions(*more: str) -> dict[str, str]:
    """Versions of Python, of the main dependencies and of `more` distributions."""
    from importlib.metadata import version

    found = {name: version(name) for name in ("dlcourse", "torch", "lightning", "hydra-core", "numpy", *more)}
    return {"python": platform.python_version()} | found


@cache
def processor() -> str:
    """The name of the CPU, or of its architecture where the system does not tell more."""
    with contextlib.suppress(OSError):  # only Linux has the file
        for line in Path("/proc/cpuinfo").read_text("utf8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def config_dir(hydra_config: Any = None) -> str | None:
    """The folder that `--config-dir` of the command names; None without it.

    Args:
        hydra_config: the node `hydra` of a config; None: that of this process, if Hydra started it.
    """
    from hydra.core.hydra_config import HydraConfig

    if hydra_config is None and not HydraConfig.initialized():
        return None
    sources = (hydra_config or HydraConfig.get()).runtime.config_sources
    return next((source.path for source in sources if source.provider == "command-line"), None)


@cache  # the imported code does not change within a process
def git_commit() -> str | None:
    """The commit of the checkout, with `-dirty` if files differ from it; None outside a checkout."""
    checkout = Path(__file__).parents[3]
    if not (checkout / ".git").exists():
        return None  # installed: a repository around it is a different one
    try:
        call = ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
        found = subprocess.run(call, cwd=checkout, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
