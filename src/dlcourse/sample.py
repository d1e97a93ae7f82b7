"""Draw with a generative model: `python -m dlcourse.sample run=DIR [interpolate=9]`."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dlcourse.cli import launch
from dlcourse.errors import UserError


def task(cfg: DictConfig) -> Any:
    """A sheet of pictures and an .npz in a folder of their own."""
    from hydra.core.hydra_config import HydraConfig

    if cfg.run is None:
        raise UserError("sample needs a run to draw with: run=DIR, a folder that train wrote")
    from dlcourse.sampling import sample

    return sample(cfg, Path(HydraConfig.get().runtime.output_dir))


if __name__ == "__main__":
    launch("sample", task)
