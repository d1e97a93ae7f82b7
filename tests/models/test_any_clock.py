"""The reader of any clock learns from poses, finds dials, and says so where there is none."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dlcourse.clocks.dial import labels_of, radius
from dlcourse.clocks.encodings import circular_error
from dlcourse.clocks.scene import draw_scenes
from dlcourse.clocks.varied.render import render_varied
from dlcourse.clocks.varied.scene import VariedRanges
from dlcourse.data.clocks import Clocks
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.models.any_clock import AnyClockReader
from dlcourse.models.build import ANY_READER, any_clock_reader, built_in, load_run
from dlcourse.models.dial_finder import best_poses, encoded, finder_loss
from dlcourse.nets.any_clock import CELLS, AnyClockNet
from dlcourse.plots import any_clock
from dlcourse.training.optimizers import Muon
from dlcourse.training.schedules import one_cycle

# Large clocks with numerals, seen nearly from the front in good light.
PLAIN: dict[str, Any] = {
    f"{name}_probability": 0.0
    for name in ("far", "free_turn", "dark", "shade", "glare", "blur", "motion", "jpeg", "cover")
} | {
    "tilt": (0.0, 20.0),
    "zoom": (0.32, 0.45),
    "offset_x": (-0.3, 0.3),
    "offset_y": (-0.3, 0.3),
    "numerals": {"none": 0.0},
    "dial": {"dark": 0.0, "coloured": 0.0, "clear": 0.0},
    "hand_contrast": (0.7, 1.0),
    "ink_contrast": (0.7, 1.0),
    "noise": (0.0, 0.01),
}


@pytest.fixture(scope="module")
def shown():
    """Images [16, 64, 64, 3] and their labels."""
    scene = draw_scenes(torch.arange(16) * 45, 3, VariedRanges(absent_probability=0.2))
    return render_varied(scene, 64), labels_of(scene)


@pytest.fixture
def model():
    torch.manual_seed(0)
    task = Task("clocks", "time", (3, 64, 64), 128.0, 60.0)
    net = lambda in_shape, outputs: AnyClockNet(in_shape, outputs, (8, 8, 8), 16)  # noqa: E731
    return AnyClockReader(task, net, Muon, one_cycle)


def test_a_pose_survives_the_finders_encoding(shown):
    pose = shown[1][:, 3:]
    cells = (pose[:, :2] * CELLS).floor().long().clamp(0, CELLS - 1)
    answer = torch.full((len(pose), 8, CELLS, CELLS), -9.0)
    for i, (x, y) in enumerate(cells.tolist()):
        numbers = [9.0, pose[i, 0] * CELLS - x - 0.5, pose[i, 1] * CELLS - y - 0.5, *(e[i] for e in encoded(pose))]
        answer[i, :, y, x] = torch.tensor(numbers)
    assert (best_poses(answer)[:, 0, :7] - pose[:, :7]).abs().max() < 1e-4
    assert finder_loss(answer, pose) < finder_loss(answer.flip(3), pose)


def test_both_nets_learn(model, shown):
    images, labels = shown
    model.note = lambda *_: None
    optimizer = Muon(model.parameters(), lr=0.02)
    losses = []
    for _ in range(12):
        loss = model.training_loss(images, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    with pytest.raises(UserError, match=r"data.pose=true"):
        model.training_loss(images, labels[:, :2])


def test_a_batch_without_a_clock_teaches_the_finder_only(model, shown):
    images, labels = shown[0][:2], shown[1][:2].clone()
    labels[:, 3:] = 0
    noted = {}
    model.note = lambda name, value: noted.update({name: value})
    assert torch.isfinite(model.training_loss(images, labels)) and noted["read_loss"] == 0


def test_images_of_any_shape_are_read(model, shown):
    model.eval()
    with torch.inference_mode():
        answers = model.predictions(model(shown[0][:3, :40]))
        grey = model(shown[0][:2, ..., 0])
    assert answers["probabilities"].shape == (3, 720) and answers["pose"].shape == (3, 8)
    assert grey.shape == (2, 368)
    rows = model.format_predictions(answers | {"pose": answers["pose"] * 0})
    assert rows[0]["time"] == "no clock found" and rows[0]["runner_up"] == ""


def test_the_data_gives_poses_on_request(tmp_path):
    data = Clocks(str(tmp_path), count=60, size=32, scene={"kind": "any"}, pose=True, batch_size=20)
    data.prepare_data()
    data.setup()
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (20, 32, 32, 3) and labels.shape == (20, 11)
    assert data.task.in_shape == (3, 32, 32) and data.arrays["test"][1].shape[1] == 2
    mixed = Clocks(str(tmp_path), count=60, size=32, scene={"kind": "any"}, pose=True, batch_size=20, course_share=0.25)
    mixed.setup()
    more, theirs = next(iter(mixed.train_dataloader()))
    assert torch.equal(more[5:], images[5:]) and torch.equal(theirs[5:], labels[5:])
    grey = (more == more[..., :1]).flatten(1).all(1)
    assert grey[:5].all() and (theirs[:5, 10] == 1).all() and torch.equal(theirs[:, :2], labels[:, :2])
    with pytest.raises(UserError, match=r"above 0 it requires data.pose=true"):
        Clocks(str(tmp_path), course_share=0.5)
    with pytest.raises(UserError, match="data/scene=any"):
        Clocks(str(tmp_path), pose=True)
    with pytest.raises(UserError, match=r"data.scene.kind=some is unknown: use free, course, any"):
        Clocks(str(tmp_path), scene={"kind": "some"})


def test_the_built_in_reader_finds_and_reads_plain_clocks():
    minutes = torch.arange(32) * 157 % 720
    scene = draw_scenes(minutes, 11, VariedRanges(**PLAIN))
    labels = labels_of(scene)
    _, reader = load_run(built_in(ANY_READER))
    with torch.inference_mode():
        answers = reader.predictions(reader(render_varied(scene, 128)))
    away = (answers["pose"][:, :2] - labels[:, 3:5]).norm(dim=1) / radius(labels[:, 3:])
    assert (away < 0.1).float().mean() > 0.9
    assert (circular_error(answers["minutes"], minutes) < 1.5).float().mean() > 0.6
    assert sum(row["time"] == "no clock found" for row in reader.format_predictions(answers)) <= 1


def test_several_clocks_in_an_image_are_read(tmp_path):
    minutes = torch.tensor([100, 460, 250, 610])
    easy = VariedRanges(**PLAIN)
    left, right = render_varied(draw_scenes(minutes, 12, easy), 128).split(2)
    reader = any_clock_reader()
    pairs = torch.cat([left, right], 2)
    with torch.inference_mode():
        answers = reader.predictions(reader(pairs))
        alone = reader.format_predictions(reader.predictions(reader(left)))
    assert all("others" not in row for row in alone)
    both = torch.stack([answers["minutes"], answers["more_minutes"][:, 0]], 1).sort(1).values
    assert circular_error(both, torch.tensor([[100, 250], [460, 610]])).max() < 1.5
    others = [row["others"] for row in reader.format_predictions(answers)]
    assert all(re.fullmatch(r"\d+:\d\d \(\d+%\)", other) for other in others)
    any_clock.draw_predictions(tmp_path / "sheet.png", reader, pairs, answers, [Path("two.png")] * 2)
    assert (tmp_path / "sheet.png").stat().st_size > 10_000


def test_the_built_in_reader_says_that_there_is_no_clock():
    reader = any_clock_reader()
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 96, 128, 3), generator=draws, dtype=torch.uint8)
    images = torch.cat([images, torch.full((1, 96, 128, 3), 180, dtype=torch.uint8)])
    with torch.inference_mode():
        rows = reader.format_predictions(reader.predictions(reader(images)))
    assert [row["time"] for row in rows] == ["no clock found"] * 3


def test_the_sheet_marks_unsure_readings_and_keeps_the_end_of_a_file_s_name(monkeypatch):
    sheets = []
    monkeypatch.setattr(any_clock, "contact_sheet", lambda path, shown, titles, title, **_: sheets.append(titles))
    rows = [
        {"time": "3:00", "confidence": 0.4, "runner_up": "1:55"},
        {"time": "4:00", "confidence": 1, "runner_up": "5:00"},
    ]
    model = SimpleNamespace(not_sure_below=0.5, format_predictions=lambda answers: rows)
    probabilities = torch.zeros(2, 720)
    probabilities[0, 180], probabilities[1, 240] = 0.4, 1.0
    answers = {"probabilities": probabilities, "minutes": torch.tensor([180.0, 240.0])}
    files = [Path(f"a very long name of a holiday photograph {i:04d}.jpg") for i in range(2)]
    any_clock.draw_predictions(Path("x.png"), model, torch.zeros(2, 8, 8, 3, dtype=torch.uint8), answers, files)
    first, second = sheets[0]
    assert "40%, or 1:55, not sure" in first and "not sure" not in second and second.endswith("0001.jpg")
