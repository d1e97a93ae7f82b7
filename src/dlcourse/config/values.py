"""Wrong values that a composed config shows by itself: refused before torch is imported, which takes seconds.

The classes check their values as well, since not every object comes from a config.
"""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcourse.errors import UserError

# What the models of these modules read and what the data sets of these modules hold.
MODELS = dict.fromkeys(("classifier", "distance", "perceptron", "xor", "xor_search"), "classes")
MODELS |= {"clock": "time", "any_clock": "time"}  # generative models read labelled images as well
DATA = dict.fromkeys(("arrays", "cifar", "digits", "features", "folder", "mnist", "xor"), "classes")
DATA |= {"clocks": "time", "clocks_course": "time", "clock_folder": "time", "faces": "pictures", "toons": "pictures"}
REDUCTIONS = ("pca", "tsne", "umap")  # the methods of analysis.reduction
AT_LEAST_ONE = {"model.k": 3, "data.batch_size": 64}  # counts, and an example of each


def check_values(cfg: DictConfig) -> None:
    """Refuse a model that does not fit the data, unknown methods, counts below 1 and wrong seeds.

    Args:
        cfg: composed for train, with a model and a data set. Classes of the user are not checked.

    Raises:
        UserError: names the key and the remedy.
    """
    check_seed(cfg.seed)
    model, data = _module(cfg.model, "models"), _module(cfg.data, "data")
    reads, holds = MODELS.get(model), DATA.get(data)
    if reads and holds and reads != holds:
        raise UserError(
            f"model={cfg.model.name} needs {reads}, but data={cfg.data.name} has {holds}: choose other data"
        )
    if model and cfg.trainer.max_epochs is not None:
        check_epochs(cfg.trainer.max_epochs)
    for key, example in AT_LEAST_ONE.items():
        value: Any = OmegaConf.select(cfg, key)
        ours = model if key.startswith("model.") else data
        if ours and isinstance(value, int) and value < 1:
            raise UserError(f"{key}={value} is below 1: use for example {example}")
    if model == "distance":
        check_reduce(cfg.model.reduce)


def check_seed(seed: Any) -> None:
    """Refuse what is not a seed.

    Raises:
        UserError: it is not an integer from 0 to 2^32 - 1.
    """
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise UserError(f"seed={seed} is not an integer from 0 to 4294967295: use for example seed=1")


def check_reduce(reduce: str) -> None:
    """Refuse an unknown method that reduces samples to a plane.

    Raises:
        UserError: it is unknown.
    """
    if reduce not in ("none", *REDUCTIONS):
        raise UserError(f"model.reduce={reduce} is unknown: use none, {', '.join(REDUCTIONS)}")


def check_method(method: str) -> None:
    """Refuse an unknown method of a two-dimensional map.

    Raises:
        UserError: names the methods.
    """
    if method not in REDUCTIONS:
        raise UserError(f"method={method} is unknown: use {', '.join(REDUCTIONS)}")


def check_epochs(epochs: object) -> int:
    """A number of epochs.

    Raises:
        UserError: it is not a positive integer.
    """
    if not isinstance(epochs, int) or epochs < 1:
        raise UserError(f"trainer.max_epochs={epochs} is not a positive integer: use for example 10")
    return epochs


def _module(node: DictConfig, group: str) -> str:
    """The module of a class of dlcourse, without its package; empty for a class of the user."""
    before, _, name = str(node.get("_target_")).rpartition(".")[0].rpartition(".")
    return name if before == f"dlcourse.{group}" else ""
