"""The composition of a config from the words of a command line."""

from omegaconf import DictConfig

from dlcourse.config.folders import CONF
from dlcourse.config.paths import quote_override
from dlcourse.errors import UserError


def empty_list(word: str) -> str:
    """`logger=null` and `callbacks=null` as the empty lists that Hydra requires; other words as they are."""
    return word.replace("null", "[]") if word in ("logger=null", "callbacks=null") else word


def compose(*overrides: str, verb: str = "train") -> DictConfig:
    """The config of a command line, without running it: `compose("model=clock_cyclic", "data=clocks")`.

    Args:
        overrides: as on the command line; a path may contain `=`, `(`, spaces and commas without quotes. A folder with
            more configs, as `--config-dir`: `"hydra.searchpath=['file:///FOLDER']"`.
        verb: the command.
    """
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    if wrong := [word for word in overrides if not isinstance(word, str)]:
        raise UserError(f"compose takes each option as an argument of its own, not {wrong[0]!r}: add * before a list")
    words = [quote_override(empty_list(word), verb) for word in overrides]
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(verb, words)
