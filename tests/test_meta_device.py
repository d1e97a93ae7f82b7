"""What runs on the meta device, and what needs the host: see `tests/meta_device.py`."""

import copy
from functools import lru_cache
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from dlcourse.config.folders import CONF
from dlcourse.config.names import choices
from tests.meta_device import META, MetaAccelerator, MetaStrategy, meta_device

# What waits for the host in a step or for a batch, and why; `docs/guides/gpu.md` says it too.
ON_HOST = {
    "clock_any": "reads each dial from the level of the image pyramid that fits its size",
    "knn": "looks for ties among the neighbours",
    "perceptron": "removes nets that have stopped from the batch, once every `model.chunk` passes",
    "xor": "removes nets that have solved XOR from the batch, once every `model.chunk` iterations",
    "xor_search": "keeps the weights that solve XOR, once every half a million tries",
    "renderer of any clock": "skips layers that do not occur in any of 128 images",
    "renderer of cartoon faces": "skips layers that do not occur in any of 128 images",
}
WAITS = "meta tensor|nonzero|no data"  # what torch says then
SIZE, COUNT = 32, 8


def tasks(kind: str) -> list[Any]:
    """Tasks of a kind, the most usual first: a model takes the first that it accepts."""
    from dlcourse.data.task import Task

    colour, names = (3, SIZE, SIZE), tuple("abcd")
    found = {
        "classes": [
            Task("colour", kind, colour, 0.0, 1.0, names, ("x", "y"), (0, 0, 1, 1), class_counts=(2,) * 4),
            Task("features", kind, (2,), 0.0, 1.0, names[:2], levels=(0, 1)),
        ],
        "time": [Task("clocks", kind, (1, 64, 64), 0.0, 1.0), Task("clocks", kind, (3, 64, 64), 0.0, 1.0)],
        "pictures": [Task("images", kind, colour, 0.0, 1.0, factors=("a",), categories=(0,))],
    }
    return found[kind]


def made_up(task: Any) -> Any:
    """A data set of black images, or of zeros, for a task."""
    from dlcourse.data.module import DataModule

    class MadeUp(DataModule):
        def load(self) -> Any:
            x = torch.zeros(COUNT, *task.stored_shape()).to(torch.float32 if len(task.in_shape) == 1 else torch.uint8)
            columns = {"time": 11, "pictures": 1}.get(task.kind, 2 if task.groups else 0)
            y = torch.zeros(COUNT, columns).float() if task.kind == "pictures" else torch.zeros(COUNT, columns).long()
            self.task = task
            return dict.fromkeys(("train", "val", "test"), (x, y if columns else torch.zeros(COUNT).long()))

    return MadeUp(task.data, COUNT // 2)


@pytest.fixture
def meta(monkeypatch):
    """The device's checks; what a generative model draws may be copied to the host."""
    from dlcourse.models.base import BaseModule
    from dlcourse.models.generative import Generative

    with meta_device(monkeypatch) as (mode, copies):
        for owner, name in ((Generative, "to_uint8"), (Generative, "latents")):
            copies.allow(owner, name)
        logged = BaseModule._log_epoch
        # Once an epoch the means and the learning rate go to Lightning.
        monkeypatch.setattr(BaseModule, "_log_epoch", lambda self: setattr(mode, "in_step", False) or logged(self))
        yield mode


@lru_cache
def composed() -> Any:
    """The configs of all models in one, with plain SGD: optimizers are tried by themselves."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    words = [f"+model@{name}={name}" for name in choices("model")]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(overrides=words)


def config(name: str) -> Any:
    """A model's config."""
    from omegaconf import OmegaConf, open_dict

    found = copy.deepcopy(composed()[name])
    with open_dict(found):
        if OmegaConf.select(found, "optimizer._target_"):
            found.optimizer = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1, "foreach": True}
            found.schedule = {"_target_": "dlcourse.training.schedules.constant", "_partial_": True}
        if OmegaConf.select(found, "net.pretrained") is not None:
            found.net.update({"name": "vgg16", "size": None})
        if "steps" in found:
            found.steps = 1
    return OmegaConf.create({"model": found, "seed": 0})


def built(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model, and data for it; its weights stay as memory is, which is quicker."""
    from hydra.utils import get_object

    from dlcourse.errors import UserError
    from dlcourse.models.build import build_model

    for draw in ("kaiming_uniform_", "kaiming_normal_", "uniform_", "normal_"):
        monkeypatch.setattr(torch.nn.init, draw, lambda tensor, *_, **__: tensor)
    problems = []
    for task in tasks(get_object(composed()[name]._target_).kind):
        try:
            return build_model(config(name), task), made_up(task)
        except UserError as problem:
            problems.append(str(problem))
    pytest.fail(f"{name} accepts none of the tasks: {problems}")


class Steps(Callback):
    """Lets the device refuse copies from the CPU in each step but the first, which moves tables to the device."""

    def __init__(self, mode: Any):
        self.mode = mode

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.mode.in_step = batch_idx > 0

    def on_train_batch_end(self, *_: Any) -> None:
        self.mode.in_step = False


QUICK = ("mlp", "cnn", "clock_multihead", "vae", "gan", "perceptron", "xor")  # the others take seconds each


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.whole) for name in choices("model")]
)
def test_models(name, monkeypatch, request):
    from omegaconf import OmegaConf

    from dlcourse.models.base import BaseModule
    from dlcourse.training.trainer import make_trainer, quiet

    quiet()
    model, data = built(name, monkeypatch)
    mode, evaluated = request.getfixturevalue("meta"), []

    def conclude(self: BaseModule, split: str) -> None:
        parts, self._gathered = self._gathered, []
        evaluated.append({key: torch.cat([part[key] for part in parts]).device for key in parts[0]})

    monkeypatch.setattr(BaseModule, "_conclude", conclude)
    device = {"accelerator": MetaAccelerator(), "strategy": MetaStrategy(META), "enable_checkpointing": False}
    settings = OmegaConf.create({"accelerator": "cpu", "max_epochs": 1})
    trainer = make_trainer(settings, callbacks=[Steps(mode)], logger=False, **device)
    if name in ON_HOST:
        with pytest.raises((RuntimeError, NotImplementedError), match=WAITS):
            trainer.fit(model, data)
        return
    trainer.fit(model, data)
    trainer.test(model, data)
    assert len(evaluated) == 2 and all(set(devices.values()) == {META} for devices in evaluated)
    if model.kind == "pictures":
        drawn = model.sampled(2, 1) if model.samples else model.reconstructed(data.arrays["test"][0][:2])
        assert drawn.shape == (2, SIZE, SIZE, 3)


@pytest.mark.parametrize("name", choices("model/optimizer"))
def test_optimizers(name, meta):
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).to(META)
    optimizer = instantiate(OmegaConf.load(CONF / "model" / "optimizer" / f"{name}.yaml"))(net.parameters())
    for step in range(3):
        meta.in_step = step > 0  # the first one makes the state
        optimizer.zero_grad()
        net(torch.empty(2, 3, 8, 8, device=META)).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("name", [*choices("model/encoding"), "dial"])
def test_encodings(name, meta):
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    from dlcourse.clocks.dial import DialAngles
    from dlcourse.clocks.encodings import confidence

    node = None if name == "dial" else OmegaConf.load(CONF / "model" / "encoding" / f"{name}.yaml")
    encoding: Any = DialAngles() if node is None else instantiate(node)
    minutes = torch.empty(COUNT, dtype=torch.int64, device=META)
    output = torch.empty(COUNT, sum(encoding.outputs), device=META)
    for meta.in_step in (False, True):  # the first time moves its tables
        assert encoding.encode(minutes).shape == output.shape
        assert encoding.loss(output, minutes).is_meta and encoding.decode(output).shape == (COUNT,)
        chances = encoding.probabilities(output)
        if chances is not None:
            assert all(found.is_meta for found in confidence(chances, encoding.decode(output)))


def whole_augment() -> list[dict[str, Any]]:
    """Every option of the augmentation, and both ways of those that have two."""
    usual = {"crop": 2, "vertical_flip": True, "rotation": 9, "zoom": (0.9, 1.1), "shear": 5, "shift": 0.1, "noise": 1}
    usual |= {"brightness": 9, "blur": 1, "reflection": 9, "cutout": 4, "erasing": 0.5}
    first = {"flip": "random", "zoom_axes": "together", "outside": "mirror"}
    return [usual | first, usual | {"flip": "alternating", "zoom_axes": "apart", "outside": "darkest"}]


@pytest.mark.parametrize("options", whole_augment(), ids=["one", "other"])
@pytest.mark.parametrize("shape", [(COUNT, 32, 32), (COUNT, 32, 32, 3)], ids=["grey", "colour"])
def test_augmentations(options, shape, meta):
    from dlcourse.data.augment import Augment
    from dlcourse.data.batches import seeded

    images = torch.empty(shape, dtype=torch.uint8, device=META)
    meta.in_step = True
    drawn = Augment(**options)(images, seeded(0, device=META), torch.arange(COUNT, device=META), 1)
    assert drawn.shape == images.shape and drawn.dtype == torch.uint8 and drawn.is_meta


def test_augmentation_before_a_discriminator(meta):
    from dlcourse.models.diff_augment import CHANGES, diff_augment

    meta.in_step = True
    assert diff_augment(torch.empty(COUNT, 3, 32, 32, device=META), tuple(CHANGES)).is_meta


@pytest.fixture
def blank_textures(monkeypatch):
    """Textures that are not drawn: that is done once, on the CPU, and takes seconds."""
    from dlcourse.clocks import render, textures
    from dlcourse.clocks.varied import atlas

    monkeypatch.setattr(textures, "_woods", lambda: torch.zeros(textures.WOOD_VARIANTS, 1, 16, 16))
    monkeypatch.setattr(textures, "_draw_dial", lambda side, scale, style: torch.zeros(side, side))
    monkeypatch.setattr(render, "clock_atlas", textures.clock_atlas.__wrapped__)
    monkeypatch.setattr(atlas, "_wall", lambda kind, generator: torch.zeros(atlas.WALL, atlas.WALL))
    monkeypatch.setattr(atlas, "_glyph", lambda text, path: torch.zeros(atlas.GLYPH, atlas.GLYPH))


def test_renderers(blank_textures, meta):
    from dlcourse.clocks import render as clocks
    from dlcourse.clocks.scene import draw_scenes
    from dlcourse.clocks.varied.render import render_varied
    from dlcourse.clocks.varied.scene import VariedRanges, pose
    from dlcourse.toons import render as toons
    from dlcourse.toons.scene import draw_scenes as draw_faces

    minutes = torch.arange(COUNT)
    drawn = clocks.render(draw_scenes(minutes, 0), 48, META)
    assert drawn.is_meta and drawn.shape == (COUNT, 48, 48)
    assert pose(draw_scenes(minutes, 0, VariedRanges()).to(META)).shape.is_meta
    others = {
        "renderer of any clock": lambda: render_varied(draw_scenes(minutes, 0, VariedRanges()), 48, META),
        "renderer of cartoon faces": lambda: toons.render(draw_faces(COUNT, seed=0), 32, device=META),
    }
    assert set(others) == {name for name in ON_HOST if name.startswith("render")}
    for render in others.values():
        with pytest.raises((RuntimeError, NotImplementedError), match=WAITS):
            render()


def test_scores(meta, monkeypatch):
    """The last step of a score is a number on the host; all before it stays on the device."""
    from dlcourse.analysis import distances, fidelity
    from dlcourse.analysis.perceptual import perceptual_distance

    monkeypatch.setattr(torch.Tensor, "item", lambda tensor: 0.0)
    features = torch.empty(2, 20, 6, device=META)
    found = fidelity.compare(features[0], features[1], fidelity.gaussian(features[1]))
    assert set(found) == {"frechet_distance", "kid", "precision", "recall", "variety"}
    assert all(part.is_meta for part in fidelity.nearest(*features))
    assert perceptual_distance("random", META)(*torch.empty(2, 4, 3, 32, 32, device=META)).shape == (4,)
    labels = torch.empty(20, dtype=torch.int64, device=META)
    centres = distances.class_centres(features[0], labels, 4, torch.float64)
    assert distances.centre_distances(centres).shape == (4, 4)


def test_the_guide_names_what_needs_the_host():
    models = {name for name in ON_HOST if not name.startswith("renderer")}
    assert models <= set(choices("model"))
    rows = (CONF.parent / "docs" / "guides" / "gpu.md").read_text().splitlines()
    for name, reason in ON_HOST.items():
        assert f"| {name if name.startswith('renderer') else f'`{name}`'} | {reason} |" in rows


@pytest.mark.parametrize(
    ("problem", "step"),
    [
        ("on the CPU", lambda x: x @ torch.ones(4, 4)),
        ("copies numbers", lambda x: x + torch.ones(4, 4).to(META)),
        ("copies numbers", lambda x: x + torch.tensor([1.0], device=META)),
        ("generator", lambda x: x + torch.rand(4, 4, device=META, generator=torch.Generator().manual_seed(1))),
        ("meta tensor", lambda x: float(x.sum())),
        ("no data", lambda x: x.cpu()),
        ("nonzero", lambda x: x[x > 0]),
    ],
)
def test_the_stand_in_refuses(problem, step, meta):
    meta.in_step = True
    with pytest.raises((AssertionError, RuntimeError, NotImplementedError), match=problem):
        step(torch.empty(4, 4, device=META))
