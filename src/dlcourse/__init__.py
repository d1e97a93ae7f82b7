"""Deep-learning experiments: PyTorch Lightning models and Hydra configs.

The functions for notebooks and scripts; they import torch when they are called.

    from dlcourse import compose, load_run, run

    result = run(compose("model=clock_cyclic", "data=clocks", "debug=fast"), folder="outputs/mine")
    model = load_run("outputs/mine")
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from dlcourse.models.base import BaseModule

__all__ = ["compose", "load_run", "run"]


def compose(*overrides: str, verb: str = "train") -> "DictConfig":
    """The config of a command, from the arguments of its command line; see `dlcourse.config.compose`.

    Args:
        overrides: as on the command line; a path may contain `=`, `(`, spaces and commas without quotes.
        verb: the command.

    Raises:
        UserError: an unknown name or key; the message is that of the command line.
    """
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from dlcourse import config
    from dlcourse.cli.explain import SHOWS_WHERE, explain
    from dlcourse.errors import UserError

    try:
        cfg = config.compose(*overrides, verb=verb)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explain(error, verb, overrides).removesuffix(SHOWS_WHERE)) from None
    OmegaConf.update(cfg, "overrides", list(overrides), force_add=True)  # recorded in result.json
    return cfg


def run(cfg: "DictConfig", *, folder: str | Path, **options: Any) -> dict[str, Any]:
    """Train, test and write one run into `folder`; see `dlcourse.commands.train.run` for the options.

    Returns:
        The content of result.json, and `folder`.
    """
    from dlcourse.commands import train

    return train.run(cfg, folder=folder, **options)


def load_run(folder: str | Path, trust: tuple[str, ...] = ()) -> "BaseModule":
    """The model of a run folder with its best weights, in evaluation mode; see `dlcourse.models.build.load_run`."""
    from dlcourse.models import build

    return build.load_run(Path(folder), trust)[1]
