"""Rendered images of analog clocks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.clocks.course import COURSE_VERSION, CourseRanges
from dlcourse.clocks.dial import course_labels_of, labels_of
from dlcourse.clocks.encodings import MINUTES, time_labels
from dlcourse.clocks.render import RENDERER_VERSION, render
from dlcourse.clocks.scene import Ranges, Scene, SceneRanges, draw_scenes
from dlcourse.clocks.varied.render import VERSION, render_varied
from dlcourse.clocks.varied.scene import VariedRanges
from dlcourse.data.batches import Augment, Batch, Batches, mix, seeded
from dlcourse.data.clock_splits import (
    FRESH_SAMPLE,
    SPLITS,
    Copies,
    check_size,
    checked,
    checked_percent,
    split_indices,
    time_task,
)
from dlcourse.data.module import Arrays
from dlcourse.data.npz import AGAIN
from dlcourse.data.rendered import Rendered
from dlcourse.errors import UserError

# What `data/scene` chooses: the ranges, and the version of the renderer.
SCENES: dict[str, tuple[type[Ranges], int | str]] = {
    "free": (SceneRanges, RENDERER_VERSION),
    "course": (CourseRanges, f"{RENDERER_VERSION}.{COURSE_VERSION}"),
    "any": (VariedRanges, VERSION),
}
SPLIT_BY = ("random", "viewpoint", "minute")
LARGE = 1e8  # pixels of all images: compiled code saves 1.5 s an epoch, and numba takes 2 s to start
ABSENT = 0.1  # share of training images without a clock, where the training needs the pose


class Clocks(Copies, Rendered):
    """Rendered clocks, every minute of the dial equally often.

    Args:
        data_dir: where the rendered splits are kept.
        count: number of images in all splits.
        size: side of an image in pixels.
        fresh: render new training images for every batch and never repeat one; an epoch has as many as the split.
        compiled: on the CPU, render the fresh images with code that numba compiles, see `clocks.render.render`; `auto`:
            if an epoch is large enough to make up for the time that numba takes to start. The stored images, which
            are then the same everywhere, are rendered by torch.
        scene_seed: seed of the stored images and of the split; the same for every run, so that runs can be compared.
        scene: `kind`, see `SCENES`, and ranges of the renderer that differ from the usual ones, by name.
        colour: false: grey images of any clocks; those of the other kinds are always grey.
        pose: fresh training images have more labels, see `clocks.dial.labels_of`, and some of them no clock: for
            models that learn to find the dial. Requires the kind `any` and `fresh`.
        course_share: share of the fresh training images that show the course's clock, as the kind `free` draws it, for
            models that learn to find the dial. Requires `pose`.
        split: percent of the images for training, validation (0: the last epoch is tested) and test.
        split_by: what a split holds: images at `random`, or all images of a `viewpoint` (of the kind `course`), or of a
            `minute` of the dial; the percentages are then of viewpoints or minutes.
        copies: how often each stored training image is in the training set, see `Copies`.
        batch_size, augment, seed, name: see `DataModule`; `seed` also draws the fresh images.
    """

    KIND = "clocks"
    task_kind = "time"

    def __init__(
        self,
        data_dir: str,
        count: int = 18_000,
        size: int = 150,
        fresh: bool = True,
        compiled: bool | str = "auto",
        scene_seed: int = 0,
        scene: Mapping[str, Any] | None = None,
        colour: bool = True,
        pose: bool = False,
        course_share: float = 0.0,
        split: Sequence[int] = (80, 10, 10),
        split_by: str = "random",
        copies: int = 1,
        batch_size: int = 64,
        augment: Augment | None = None,
        seed: int = 0,
        name: str = "clocks",
    ):
        super().__init__(copies, name, batch_size, augment, seed)
        self.data_dir, self.split = data_dir, checked_percent(split)
        if count < 30:
            raise UserError(f"data.count={count} is too small for three splits: use 720 or more")
        if fresh and copies > 1:
            raise UserError(f"data.copies={copies} requires a fixed training set: add data.fresh=false")
        check_size(size)
        ranges = dict(scene or {})
        self.kind = ranges.pop("kind", "free")
        if self.kind not in SCENES:
            raise UserError(f"data.scene.kind={self.kind} is unknown: use {', '.join(SCENES)}")
        if compiled not in (True, False, "auto"):
            raise UserError(f"data.compiled={compiled} is unknown: use auto, true or false")
        if pose and not (fresh and self.kind == "any"):
            raise UserError("data.pose=true requires data/scene=any and data.fresh=true")
        if not isinstance(course_share, (int, float)) or not 0 <= course_share <= float(pose):
            raise UserError(f"data.course_share={course_share} must be 0 to 1, and above 0 it requires data.pose=true")
        if split_by not in SPLIT_BY:
            raise UserError(f"data.split_by={split_by} is unknown: use {', '.join(SPLIT_BY)}")
        if split_by == "viewpoint" and self.kind != "course":
            raise UserError(
                f"data.split_by=viewpoint needs viewpoints that repeat, but data/scene={self.kind} draws a new one for "
                "every image: use data/scene=course"
            )
        if split_by != "random" and fresh:
            raise UserError(f"data.split_by={split_by} requires a fixed training set: add data.fresh=false")
        self.split_by = split_by
        try:
            self.ranges = SCENES[self.kind][0](**ranges)
        except (TypeError, ValueError) as error:
            raise UserError(f"data.scene: {error}") from None
        self.colour, self.pose, self.course_share = colour and self.kind == "any", pose, course_share
        self.count, self.size, self.scene_seed = count, size, scene_seed
        large = count * size**2 >= LARGE
        self.fresh, self.compiled = fresh, large if compiled == "auto" else compiled

    @property
    def ahead(self) -> bool:
        """See `DataModule`. A second core saves more time by rendering than as a second thread of the net."""
        return self.fresh and self.device.type == "cpu"

    def file_settings(self) -> Mapping[str, Any]:
        """Settings that the stored images depend on."""
        # What is as usual is left out, so that files of earlier versions keep their names.
        more = {"kind": self.kind, "colour": self.colour} if self.kind != "free" else {}
        if self.split_by != "random":
            more["split_by"] = self.split_by
        return more | {
            "count": self.count,
            "size": self.size,
            "fresh": self.fresh,
            "seed": self.scene_seed,
            "scene": vars(self.ranges),
            "split": self.split,
            "renderer": SCENES[self.kind][1],
        }

    def scenes(self) -> dict[str, tuple[Scene, Tensor]]:
        """Scenes of the stored images of each split, and the minutes [N] that they show."""
        minutes = torch.arange(self.count) % MINUTES
        scene = draw_scenes(minutes, mix(self.scene_seed, 0), self.ranges)
        groups = None
        if self.split_by != "random":
            groups = minutes if self.split_by == "minute" else CourseRanges.viewpoint_of(scene.factors)
        indices = split_indices(self.count, self.scene_seed, self.split, groups)
        found = {split: (scene[index], minutes[index]) for split, index in indices.items()}
        if self.fresh:
            minutes = torch.randperm(FRESH_SAMPLE, generator=seeded(self.scene_seed))
            found["train"] = draw_scenes(minutes, mix(self.scene_seed, 1), self.ranges), minutes
        return found

    def render(self, scene: Scene, device: torch.device | None = None, compiled: bool = False) -> Tensor:
        """Images uint8 [N, S, S], or [N, S, S, 3] in colour."""
        if self.kind == "any":
            return render_varied(scene, self.size, device, self.colour, compiled=compiled)
        return render(scene, self.size, device, compiled=compiled)

    def render_splits(self) -> dict[str, np.ndarray]:
        """Images uint8 [N, S, S] or [N, S, S, 3], and times [N, 2]."""
        arrays: dict[str, np.ndarray] = {}
        for split, (scene, minutes) in self.scenes().items():
            arrays[f"{split}_x"] = self.render(scene).numpy()
            arrays[f"{split}_y"] = time_labels(minutes).numpy()
        return arrays

    def load(self) -> dict[str, Arrays]:
        """Read the rendered splits."""
        stored = self.stored()
        splits = [split for split in SPLITS if split != "val" or self.split[1]]
        arrays = {
            split: checked(self.path, stored.get(f"{split}_x"), stored.get(f"{split}_y"), AGAIN) for split in splits
        }
        self.task = time_task(self.title, arrays["train"][0])
        return arrays

    def _take_fresh(self, index: Tensor, epoch: int, number: int) -> Batch:
        minutes = index % MINUTES
        ranges = replace(self.ranges, absent_probability=ABSENT) if self.pose else self.ranges
        scene = draw_scenes(minutes, mix(self.seed, 2, epoch, number, self.rank), ranges)
        images = self.render(scene, self.device, self.compiled)
        labels = labels_of(scene) if self.pose else time_labels(minutes)
        if few := round(self.course_share * len(minutes)):  # of the shuffled minutes
            course = draw_scenes(minutes[:few], mix(self.seed, 3, epoch, number, self.rank), SceneRanges())
            drawn = render(course, self.size, self.device, compiled=self.compiled)
            images[:few] = drawn[..., None] if self.colour else drawn
            labels[:few] = course_labels_of(course)
        return self._augmented(self.augment, images, index, epoch, number), labels.to(self.device)

    def train_dataloader(self) -> Batches:
        """New images for every batch if `fresh`, else the stored ones shuffled."""
        if not self.fresh:
            return super().train_dataloader()
        count = len(split_indices(self.count, self.scene_seed, self.split)["train"])
        if self.batch_size > count:
            raise UserError(f"data.batch_size={self.batch_size} is larger than the {count} training images of an epoch")
        return self._batches(count, self._take_fresh, self.batch_size, train=True)
