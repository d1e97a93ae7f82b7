"""What a config key says about a run: whether it is part of what is computed, or of where, how fast and how shown.

The one table of keys that are not part of a run's identity. Whoever compares runs names the kinds that do not count
for the comparison; every key that is not listed is `identity`.
"""

from typing import Any

from omegaconf import OmegaConf

IDENTITY = "identity"
RECORD = "record"  # of the command itself: which folder, which sweep
PLACE = "place"  # where data lies on this machine
SOURCE = "source"  # the user's own files and runs: part of the identity, but they may be moved
APPEARANCE = "appearance"  # what is drawn
TRACKING = "tracking"  # what is logged and saved
SPEED = "speed"  # which device and how many threads
REPETITION = "repetition"  # tells repeated runs of one configuration apart

KEYS = {
    "begun": RECORD,
    "hydra": RECORD,
    "name": RECORD,
    "resume": RECORD,
    "search": RECORD,
    "sweep_margin": RECORD,
    "trust": RECORD,
    "data_dir": PLACE,
    "data.data_dir": PLACE,
    "run": SOURCE,
    "data.path": SOURCE,
    "model.init_from": SOURCE,
    "model.net.init_from": SOURCE,
    "plots": APPEARANCE,
    "checkpoints": TRACKING,
    "logger": TRACKING,
    "threads": SPEED,
    "trainer": SPEED,  # the choice of the group; its keys, such as trainer.max_epochs, are identity
    "trainer.accelerator": SPEED,
    "trainer.devices": SPEED,
    "trainer.strategy": SPEED,
    "seed": REPETITION,
}
# Keys whose values are paths, as the shell gives them: quoted before Hydra reads them, absolute in a stored config.
PATHS = frozenset({"run", "input", "output", "latents", "data.path", "data_dir", "model.init_from", "hydra.run.dir",
                   "hydra.sweep.dir"})  # fmt: skip


def kind(key: str) -> str:
    """The kind of a dotted key; `+` and `~` in front of it and the keys below a listed one do not matter."""
    key = key.lstrip("+~")
    if key in KEYS:
        return KEYS[key]
    parents = (key.rsplit(".", n)[0] for n in range(1, key.count(".") + 1))
    return next((KEYS[parent] for parent in parents if parent in KEYS and parent != "trainer"), IDENTITY)


def keys_of_kind(*kinds: str) -> list[str]:
    """The listed keys of some kinds."""
    return [key for key, found in KEYS.items() if found in kinds]


def keys_of(cfg: Any, prefix: str = "") -> list[str]:
    """The dotted keys of every value in a config."""
    found: list[str] = []
    for key in cfg if OmegaConf.is_dict(cfg) else ():
        node = cfg._get_node(key)
        name = f"{prefix}{key}"
        found += [name, *keys_of(node, f"{name}.")] if OmegaConf.is_dict(node) and not node._is_none() else [name]
    return found
