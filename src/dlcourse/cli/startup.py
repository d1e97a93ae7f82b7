"""Faster start of a command: skips parts that Lightning and torchmetrics import but most commands do not use.

Measured with torch 2.15 and Lightning 2.6: `torch._dynamo` and the optional packages of torchmetrics take two thirds of
the processor time of `import torch, lightning`.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from dlcourse.config import config_roots

DYNAMO = "torch._dynamo"
OPTIONAL = ("matplotlib", "scipy", "torchvision")  # torchmetrics needs them for metrics that dlcourse does not use


def shorten(words: Sequence[str]) -> None:
    """Prepare the imports of a command line; without effect if torch or torchmetrics is already imported.

    torchmetrics keeps all its parts where the command may import a package of the user, which may need them: with a
    config folder besides the shipped one, a `_target_` or `trust`.
    """
    if "torch" not in sys.modules and not any(isinstance(finder, _DynamoFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _DynamoFinder())
    foreign = len(config_roots()) > 1 or any(
        "_target_" in word or word.lstrip("+").startswith("trust=") for word in words
    )
    if "torchmetrics" not in sys.modules and not foreign:
        _hide(OPTIONAL)


def _hide(packages: tuple[str, ...]) -> None:
    """Make `lightning_utilities` report that these packages are not installed."""
    from lightning_utilities.core import imports

    known, available = imports.RequirementCache.__bool__, imports.package_available

    def without(cache: Any) -> bool:
        return not str(cache.requirement or cache.module).startswith(packages) and known(cache)

    # setattr, as a type checker refuses to replace a method
    setattr(imports.RequirementCache, "__bool__", without)  # noqa: B010
    setattr(imports, "package_available", lambda name: name not in packages and available(name))  # noqa: B010


class _Compiled(type):
    """An `isinstance` check that is false as long as nothing is compiled."""

    def __instancecheck__(cls, instance: object) -> bool:
        dynamo = sys.modules[DYNAMO]
        return not isinstance(dynamo, _LazyDynamo) and isinstance(instance, dynamo.OptimizedModule)


class _LazyDynamo(ModuleType):
    """Stands for `torch._dynamo` until something compiles; optimisers and Lightning need only these three names."""

    class OptimizedModule(metaclass=_Compiled):
        """Stands for the class of compiled modules."""

    @staticmethod
    def graph_break(*_: Any, **__: Any) -> None:
        """Do nothing, as in the real function outside compilation."""

    @staticmethod
    def disable(fn: Any, *_: Any, **__: Any) -> Any:
        """The function itself: only a compiler makes a difference."""
        return fn

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_real_dynamo(), name)


class _DynamoFinder(MetaPathFinder, Loader):
    """Gives `_LazyDynamo` for `torch._dynamo`, and replaces it when a submodule is imported."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name == DYNAMO:
            return ModuleSpec(name, self, is_package=True)
        if name.startswith(f"{DYNAMO}."):
            _real_dynamo()
            importlib.import_module(name)
            return ModuleSpec(name, self)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _LazyDynamo(DYNAMO) if spec.name == DYNAMO else sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to execute: the module exists already."""


def _real_dynamo() -> ModuleType:
    if isinstance(sys.modules.get(DYNAMO), _LazyDynamo):
        del sys.modules[DYNAMO]
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _DynamoFinder)]
    return importlib.import_module(DYNAMO)
