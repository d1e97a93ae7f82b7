"""The kind of each config key: identity of the run, or place, speed, appearance and so on.

The table lists the keys that are not part of a run's identity; all other keys are `identity`. Code that compares runs
names the kinds to ignore.
"""

from typing import Any

from omegaconf import OmegaConf

IDENTITY = "identity"
RECORD = "record"  # of the command itself: folder, sweep
PLACE = "place"  # where data is stored on this machine
SOURCE = "source"  # files and runs of the user: part of the identity, but their paths may change
APPEARANCE = "appearance"  # what is plotted
TRACKING = "tracking"  # what is logged and saved
SPEED = "speed"  # device and number of threads
REPETITION = "repetition"  # distinguishes repeated runs of one configuration

KEYS = {
    "begun": RECORD,
    "hydra": RECORD,
    "name": RECORD,
    "overrides": RECORD,
    "resume": RECORD,
    "search": RECORD,
    "sweep_margin": RECORD,
    "trust": RECORD,
    "data_dir": PLACE,
    "data.data_dir": PLACE,
    "run": SOURCE,
    "data.path": SOURCE,
    "init_from": SOURCE,
    "plots": APPEARANCE,
    "open": APPEARANCE,
    "checkpoints": TRACKING,
    "logger": TRACKING,
    "threads": SPEED,
    "trainer": SPEED,  # the choice of the group; its keys, such as trainer.max_epochs, are identity
    "trainer.accelerator": SPEED,
    "trainer.devices": SPEED,
    "trainer.strategy": SPEED,
    "seed": REPETITION,
    "data.fold": REPETITION,
}
LONGER = "trainer.max_epochs"  # the one key of its identity that `train run=DIR` may raise
NUMERICS = ("trainer.precision", "compile")  # identity of a run, but not a difference from a reported experiment


def kind(key: str) -> str:
    """The kind of a dotted key, with or without a leading `+` or `~`; keys below a listed one have its kind."""
    key = key.lstrip("+~")
    if key in KEYS:
        return KEYS[key]
    parents = (key.rsplit(".", n)[0] for n in range(1, key.count(".") + 1))
    return next((KEYS[parent] for parent in parents if parent in KEYS and parent != "trainer"), IDENTITY)


def keys_of_kind(*kinds: str) -> list[str]:
    """The listed keys of the given kinds."""
    return [key for key, found in KEYS.items() if found in kinds]


def keys_of(cfg: Any, prefix: str = "") -> list[str]:
    """The dotted keys of all values in a config."""
    found: list[str] = []
    for key in cfg if OmegaConf.is_dict(cfg) else ():
        node = cfg._get_node(key)
        name = f"{prefix}{key}"
        found += [name, *keys_of(node, f"{name}.")] if OmegaConf.is_dict(node) and not node._is_none() else [name]
    return found
