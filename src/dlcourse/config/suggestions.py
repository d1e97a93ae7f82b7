"""Suggestions for an unknown key: first the names that other programs use for an option, then similar spelling."""

import re
from collections.abc import Collection
from difflib import SequenceMatcher

SIMILAR = 0.7  # smallest similarity of two spellings, 0 to 1
LISTED = 30  # keys in a list, at most

# The last part of a key, and the options that people mean by it: the first one that the config has. An entry with `=`
# is a whole option, available where its config group is.
MEANT = {
    "accumulation_steps": ("trainer.accumulate_grad_batches",),
    "arch": ("model",),
    "aug": ("data/augment",),
    "augmentation": ("data/augment",),
    "batch": ("data.batch_size",),
    "batchsize": ("data.batch_size",),
    "bs": ("data.batch_size",),
    "clip": ("trainer.gradient_clip_val",),
    "cuda": ("trainer=gpu",),
    "dataset": ("data",),
    "device": ("trainer.accelerator",),
    "early_stop": ("callbacks=early_stopping",),
    "early_stopping": ("callbacks=early_stopping",),
    "epoch": ("trainer.max_epochs",),
    "epochs": ("trainer.max_epochs",),
    "exp": ("experiment",),
    "gpu": ("trainer=gpu",),
    "gpus": ("trainer.devices",),
    "grad_clip": ("trainer.gradient_clip_val",),
    "image_size": ("data.size",),
    "learning_rate": ("model.optimizer.lr",),
    "learningrate": ("model.optimizer.lr",),
    "log_dir": ("hydra.run.dir",),
    "lr": ("model.optimizer.lr",),
    "lr_scheduler": ("model/schedule",),
    "max_epochs": ("trainer.max_epochs",),
    "max_grad_norm": ("trainer.gradient_clip_val",),
    "max_steps": ("trainer.max_steps",),
    "n_epochs": ("trainer.max_epochs",),
    "net": ("model/net",),
    "num_epochs": ("trainer.max_epochs",),
    "optim": ("model/optimizer",),
    "optimizer": ("model/optimizer",),
    "output_dir": ("hydra.run.dir",),
    "patience": ("callbacks.early_stopping.patience", "callbacks=early_stopping"),
    "random_seed": ("seed",),
    "save_dir": ("hydra.run.dir",),
    "schedule": ("model/schedule",),
    "scheduler": ("model/schedule",),
    "seeds": ("seed=0,1,2 with -m",),
    "transform": ("data/augment",),
    "transforms": ("data/augment",),
    "val_size": ("data.validation",),
    "val_split": ("data.validation",),
    "validation_split": ("data.validation",),
    "wd": ("model.optimizer.weight_decay",),
}


def suggest(key: str, known: Collection[str]) -> str | None:
    """The known key that a person probably meant by an unknown one; None where nothing is near enough.

    Args:
        key: dotted, as typed.
        known: dotted keys, and config groups such as `model/optimizer`.
    """
    *parents, last = re.split(r"[./]", key.lower())
    parts = {name: re.split(r"[./]", name.lower()) for name in known if name != key}
    for meant in MEANT.get(last, ()):
        option = meant.partition("=")[0]
        if option in parts or option.startswith("hydra."):
            return meant
    beside = {name: _similarity(last, tail) for name, (*heads, tail) in parts.items() if heads == parents}
    whole = {
        name: min(map(_similarity, (*parents, last), found))
        for name, found in parts.items()
        if len(found) == len(parents) + 1
    }
    # A key of data means something else than one of the model, even with the same name.
    strange = not parents or all(found[0] != parents[0] for found in parts.values())
    inside = {name: found for name, found in parts.items() if strange or len(found) == 1 or found[0] == parents[0]}
    same = {name: 1 / len(found) for name, found in inside.items() if found[-1] == last}
    other = {name: _similarity(last, found[-1]) for name, found in inside.items()}
    for scores, least in ((beside, SIMILAR), (same, 0.0), (whole, SIMILAR), (other, 0.8)):
        best = max(sorted(scores), key=lambda name: scores[name], default=None)
        if best is not None and scores[best] >= least:
            return best
    return None


def did_you_mean(key: str, known: Collection[str]) -> str:
    """The end of a sentence: `; did you mean KEY?`, or the keys beside it where none is near enough."""
    found = suggest(key, known)
    if found:
        return f"; did you mean {found}?"
    beside = sorted(siblings(key, known))
    return f"; choose from {', '.join(beside)}" if 0 < len(beside) <= LISTED else "; --cfg job lists all keys"


def siblings(key: str, known: Collection[str]) -> list[str]:
    """The known keys in the same place as a key: those of model.net for model.net.width."""
    parent = key.rpartition(".")[0]
    parts = {name: name.rpartition(".") for name in known if "/" not in name}
    return [name for name, (place, _, last) in parts.items() if place == parent and not last.startswith("_")]


def _similarity(first: str, second: str) -> float:
    return SequenceMatcher(None, first, second).ratio()
