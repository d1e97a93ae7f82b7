"""Predictions for your own images: `python -m dlcourse.predict [run=DIR] input=FILE_OR_FOLDER`."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcourse.cli.launch import launch
from dlcourse.errors import UserError


def task(cfg: DictConfig) -> Any:
    """Print predictions and write predictions.csv and contact_sheet.png to a new folder."""
    from hydra.core.hydra_config import HydraConfig

    if cfg.input in (None, "", []):
        raise UserError("input is missing: pass an image or a folder, input=FILE_OR_FOLDER")
    given = cfg.input if OmegaConf.is_list(cfg.input) else [cfg.input]
    from dlcourse.commands.predict import predict

    return predict(
        Path(cfg.run) if cfg.run is not None else None,
        [Path(path) for path in given],
        Path(HydraConfig.get().runtime.output_dir),
        cfg.trust,
    )


if __name__ == "__main__":
    launch("predict", task)
