"""Torch's meta device as a stand-in for a GPU: tensors with shapes but no numbers.

Code that runs there runs on a GPU without waiting for it: `.item()`, `if` on a tensor and shapes that depend on numbers
are errors. `OneDevice` makes errors of what torch does not check there.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import Any, ClassVar

import pytest
import torch
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch.utils._python_dispatch import TorchDispatchMode

META = torch.device("meta")
Generator = torch.Generator  # `meta_device` gives the name to another class
COPIES = ("_to_copy", "to", "copy_")
LOOKUPS = ("index", "index_put", "index_put_", "_index_put_impl_")  # take indices on the CPU on a GPU too


class MetaGenerator(torch.Generator):
    """A random generator for the meta device, which torch does not have; it is known by its seed."""

    seeds: ClassVar[set[int]] = set()

    def __new__(cls, device: Any = "cpu") -> "MetaGenerator":
        """A generator of the CPU that remembers the device it is made for."""
        made = super().__new__(cls)
        made.made_for = torch.device(device)
        return made

    @property
    def device(self) -> torch.device:
        """The device it is made for."""
        return self.made_for

    def manual_seed(self, seed: int) -> "MetaGenerator":
        """Seed it, and remember the seed of a generator for the meta device."""
        if self.made_for == META:
            self.seeds.add(seed)
        super().manual_seed(seed)
        return self


class OneDevice(TorchDispatchMode):
    """Refuses operations on tensors of two devices, and random numbers from a generator of another device.

    Attributes:
        in_step: also refuse copies from the CPU, which keep a GPU waiting at each step.
    """

    in_step = False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False: to keep torch.compile out, torch would import all of it, which takes seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Check the operands, then run the operation."""
        kwargs = kwargs or {}
        operands = [o for a in (*args, *kwargs.values()) for o in (a if isinstance(a, list | tuple) else (a,))]
        tensors = [operand for operand in operands if isinstance(operand, torch.Tensor)]
        on_meta = any(t.is_meta for t in tensors) or kwargs.get("device") == META
        if on_meta:
            self._check(func, [t for t in tensors if t.ndim and not t.is_meta])
        for operand in operands:
            if isinstance(operand, Generator) and (operand.initial_seed() in MetaGenerator.seeds) != on_meta:
                raise AssertionError(f"{func}: the generator is not on the device of the random numbers")
        return func(*args, **kwargs)

    def _check(self, func: Any, others: list[torch.Tensor]) -> None:
        """Check an operation on the device.

        Args:
            func: the operation.
            others: its operands that are on the CPU, without single numbers.
        """
        name = func.overloadpacket.__name__
        if self.in_step and (name == "lift_fresh" or (others and name in COPIES)):
            raise AssertionError("a step copies numbers from the CPU to the device: keep them there")
        if others and name not in (*COPIES, *LOOKUPS):
            raise AssertionError(f"{func} of a tensor {list(others[0].shape)} on the CPU and one on the device")


class MetaAccelerator(Accelerator):
    """One device, as Lightning sees it."""

    def setup_device(self, device: torch.device) -> None: ...

    def teardown(self) -> None: ...

    def get_device_stats(self, device: Any) -> dict[str, Any]:
        return {}

    @staticmethod
    def parse_devices(devices: Any) -> Any:
        return devices

    @staticmethod
    def get_parallel_devices(devices: Any) -> list[torch.device]:
        return [META]

    @staticmethod
    def auto_device_count() -> int:
        return 1

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def name() -> str:
        return "meta"


class MetaStrategy(SingleDeviceStrategy):
    """Its device keeps the model at the end."""

    def teardown(self) -> None: ...


class HostCopies:
    """Within `allowed`, `Tensor.cpu` of a tensor without numbers is the tensor itself; elsewhere it is an error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.open, self.real, self.patch = 0, torch.Tensor.cpu, monkeypatch
        copies = self

        def cpu(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            return tensor if copies.open and tensor.device == META else copies.real(tensor, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, "cpu", cpu)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Allow copies to the host in the block."""
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    def allow(self, owner: Any, name: str) -> None:
        """Allow them in a function, which copies its result to the host."""
        function = vars(owner)[name]

        def within(*args: Any, **kwargs: Any) -> Any:
            with self.allowed():
                return function(*args, **kwargs)

        self.patch.setattr(owner, name, within)


@contextmanager
def meta_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[OneDevice, HostCopies]]:
    """The stand-in within a block: generators, autocast and checks of the operands."""
    autocast = torch.autocast
    MetaGenerator.seeds.clear()  # another test may have used a seed of this test's generators of the CPU
    monkeypatch.setattr(torch, "Generator", MetaGenerator)
    # The fused optimizers have kernels for the meta device, but do not look for them.
    optimizers = import_module("torch.optim.optimizer")
    fused = optimizers._get_fused_kernels_supported_devices
    monkeypatch.setattr(optimizers, "_get_fused_kernels_supported_devices", lambda: [*fused(), "meta"])
    monkeypatch.setattr(torch, "_fused_sgd_", lambda *_, **__: None)  # except that of SGD
    for loops in ("fit_loop", "evaluation_loop"):
        monkeypatch.setattr(import_module(f"lightning.pytorch.loops.{loops}"), "has_len_all_ranks", lambda *_: True)
    # At the end of an epoch and of a fit Lightning copies the logged values.
    connector = "lightning.pytorch.trainer.connectors.logger_connector."
    monkeypatch.setattr(f"{connector}result._ResultCollection.cpu", lambda self: self)
    monkeypatch.setattr(f"{connector}logger_connector._LoggerConnector.teardown", lambda self: None)
    monkeypatch.setattr(
        torch, "autocast", lambda kind, *a, **k: nullcontext() if kind == "meta" else autocast(kind, *a, **k)
    )
    with OneDevice() as mode:
        yield mode, HostCopies(monkeypatch)
