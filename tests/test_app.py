"""The playground's functions, without a browser."""

import base64
import io
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image, ImageDraw

from dlcourse.app import attention, clock, digit, face, points
from dlcourse.app.pictures import bars, drawn, opened
from dlcourse.app.saved_runs import Loaded, SavedRuns, generative
from dlcourse.app.server import address_of, bound
from dlcourse.data.task import Task
from dlcourse.errors import UserError
from dlcourse.runs.stored_config import read_stored
from tests.conftest import NET


def dial(hour: int, minute: int, side: int = 400) -> Image.Image:
    """A drawn clock, dark on light."""
    image = Image.new("RGB", (side, side), "white")
    pen, middle = ImageDraw.Draw(image), side / 2

    def spot(turn: float, length: float) -> tuple[float, float]:
        angle = 2 * math.pi * turn
        return middle + length * side * math.sin(angle), middle - length * side * math.cos(angle)

    pen.ellipse((side * 0.1, side * 0.1, side * 0.9, side * 0.9), outline="black", width=6)
    for i in range(12):
        pen.text(spot(i / 12, 0.34), str(i or 12), fill="black", font_size=side / 12, anchor="mm")
    pen.line([(middle, middle), spot((hour + minute / 60) / 12, 0.18)], fill="black", width=12)
    pen.line([(middle, middle), spot(minute / 60, 0.28)], fill="black", width=6)
    return image


def one(paper: str = "white", ink: str = "black", place: int = 60) -> Image.Image:
    """A stroke that is not in the middle."""
    image = Image.new("RGB", (300, 300), paper)
    ImageDraw.Draw(image).line([(place, 40), (place, 200)], fill=ink, width=20)
    return image


def test_a_digit_is_placed_as_in_its_data():
    found = digit.place_digit(digit.ink_of(one()), 28)
    rows, columns = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
    assert rows[-1] - rows[0] + 1 == 20 and found.max() == 255 and found[0, 0] == 0
    mass = found.sum(0) @ np.arange(28) / found.sum()
    assert abs(mass - 14) <= 0.5 and abs(columns.mean() - 14) <= 0.5
    small = digit.place_digit(digit.ink_of(one()), 8, 1.0, "box")
    assert small.any(1).all() and np.flatnonzero(small.any(0)).tolist() in ([3], [4])


def test_dark_on_light_and_light_on_dark_are_the_same():
    light = digit.place_digit(digit.ink_of(one("black", "white", 200)), 28)
    dark = digit.place_digit(digit.ink_of(one("#fff", "#000", 60)), 28)
    assert (light == dark).all()
    task = Task("digits8", "classes", (64,), 4.9, 6.0, tuple("0123456789"), levels=(0, 16))
    stored, seen = digit.stored_digit(one(), task)
    assert stored.shape == (1, 64) and stored.max() == 16 and seen.shape == (8, 8)


def test_a_sketch_is_an_image_or_nothing():
    file = io.BytesIO()
    one().save(file, "PNG")
    address = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    assert (np.asarray(drawn(address)) == np.asarray(one())).all()
    assert drawn(None) is None and drawn("") is None
    with pytest.raises(UserError, match="draw again"):
        drawn("data:image/png;base64,AAAA")


def test_nothing_drawn_and_broken_files_get_a_sentence(tmp_path):
    with pytest.raises(UserError, match="nothing is drawn"):
        digit.ink_of(Image.new("L", (50, 50), 200))
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="could not be decoded"):
        opened(str(tmp_path / "a.png"), "")
    with pytest.raises(UserError, match="choose"):
        opened(None, "choose a file")


def test_a_reading_with_a_near_runner_up_or_little_confidence_is_not_called_sure():
    assert clock.how_sure(0.9, "11:15", 0.05, 0.6) == "confidence 90%; runner-up 11:15, 5%"
    assert clock.how_sure(0.65, "11:15", 0.3, 0.6).startswith("not sure, confidence 65%; runner-up 11:15, 30%")
    assert clock.how_sure(0.5, "11:15", 0.01, 0.6).startswith("not sure")


def test_bars_escape_names_and_mark_the_best():
    text = bars(["<a>", "b"], [0.25, 0.75])
    assert "&lt;a&gt;" in text and text.count("best") == 1 and "75.0%" in text


@pytest.mark.parametrize("name", ["XOR", "two moons", "circles", "spiral"])
def test_made_up_points_have_two_classes(name):
    found = points.made_up(name)
    assert len(found) == points.COUNT and {label for *_, label in found} == {0, 1}
    assert all(abs(value) <= points.RANGE for x, y, _ in found for value in (x, y))


def test_an_mlp_learns_xor_and_needs_both_classes():
    *_, last = points.train(points.made_up("XOR"), points.Settings(steps=150, rate=0.05))
    assert last.step == 150 and last.accuracy == 1 and last.loss < 0.1
    assert last.picture.shape == (points.SIDE, points.SIDE, 3) and last.picture.std() > 10
    placed = points.place([], (0, 0), 1)
    assert placed[0][0] < -1.4 and placed[0][1] > 1.4
    with pytest.raises(UserError, match="both classes"):
        next(points.train(placed, points.Settings()))


def test_the_port_and_the_host_are_checked():
    with bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address_of(taken) == f"http://127.0.0.1:{port}"
        with pytest.raises(UserError, match=f"port={port} is in use"):
            bound("127.0.0.1", port)
    for port in (-1, 70000, "abc", True, None):
        with pytest.raises(UserError, match="is not a port"):
            bound("127.0.0.1", port)
    with pytest.raises(UserError, match="not an address of this machine"):
        bound("198.51.100.1", 0)


def test_the_command_refuses_wrong_keys_and_a_missing_extra(command, monkeypatch):
    code, _, error = command("app", "prot=1")
    assert code == 1 and "unknown key prot; did you mean port?" in error
    monkeypatch.setattr("dlcourse.app.find_spec", lambda name: None)
    code, _, error = command("app")
    assert code == 1 and "uv run --extra app" in error and "dlcourse[app]" in error and "Traceback" not in error


@pytest.fixture
def faces_library(face_run):
    face_run("vae", "plots=false", folder="outputs/vae")
    return SavedRuns([Path("outputs"), Path("nowhere")])


def test_a_face_slides_along_directions(faces_library, tmp_path):
    ((label, folder),) = faces_library.choices(generative)
    assert label.startswith("vae on faces") and not faces_library.choices(digit.fits)
    with faces_library.use(folder) as loaded:
        found = face.space(faces_library, loaded)
        z = face.new_face(faces_library, loaded, 0)
        assert not torch.equal(z, face.new_face(faces_library, loaded, 1))
        moved = face.slid(z, found, [2.0] + [0.0] * 7)
        assert torch.allclose((moved - z).norm(), 2 * found.deviations[0])
        assert face.draw_face(loaded.model, moved, 64).shape == (64, 64)
        assert face.steps_between(loaded.model, z, moved).shape == (128, 9 * 128)
    Path(folder, "checkpoints/best.ckpt").unlink()
    shutil.copytree(folder, "outputs/own")  # a run of a model object, whose config does not describe it
    own = read_stored(Path("outputs/own/config.yaml"))
    OmegaConf.save({key: value for key, value in own.items() if key != "model"}, "outputs/own/config.yaml")
    ((label, folder),) = faces_library.choices(generative)
    assert "checkpoint missing" in label
    with pytest.raises(UserError, match="not found"), faces_library.use(folder):
        pass
    with pytest.raises(UserError, match="no run is chosen"), faces_library.use(None):
        pass


def test_images_of_a_run_are_not_downloaded(tmp_path):
    from dlcourse.config import compose

    cfg = compose("model=mlp", "data=mnist", f"data_dir={tmp_path}")
    with pytest.raises(UserError, match="mnist.npz not found: prepare the data set"):
        SavedRuns([]).images(Loaded(cfg, None))


def test_heat_maps_and_digits_of_a_run(tmp_path):
    pytest.importorskip("captum", reason="captum is not installed: uv sync --extra app")
    from dlcourse.commands.train import run
    from dlcourse.config import compose

    words = ["model=cnn", "data=digits8", "data.view=picture", "debug=fast", "trainer=cpu", "plots=false"]
    run(compose(*words, "trainer.precision=32-true"), folder=tmp_path / "outputs/cnn")
    runs = SavedRuns([tmp_path / "outputs"])
    ((_, folder),) = runs.choices(lambda kind, run: attention.fits(kind, run) and digit.fits(kind, run))
    with runs.use(folder) as loaded:
        images = runs.images(loaded)
        for method in attention.METHODS:
            image, heat, text = attention.look(loaded.model, images[:1], method)
            assert image.shape == heat.shape == (400, 400, 3) and (image != heat).any() and "confidence" in text
        seen, text, shares = digit.read_digit(loaded.model, one())
        assert seen.shape == (320, 320) and shares.count("track") == 10 and "big" in text
        with pytest.raises(UserError, match="nothing is drawn"):
            digit.read_digit(loaded.model, None)


def test_a_polar_net_has_no_map_of_the_image():
    from dlcourse.config import compose
    from dlcourse.models.build import build_model

    task = Task("clocks", "time", (1, 40, 40), 100.0, 50.0)
    model = build_model(compose("model=clock_multihead", "data=clocks", *NET), task).eval()
    with pytest.raises(UserError, match="unrolls the image first: use occlusion"):
        attention.last_convolution(model, torch.zeros(1, 40, 40, dtype=torch.uint8))


def test_the_built_in_reader_reads_a_drawing():
    from dlcourse.app.clock import read_clock

    image, text = read_clock(dial(10, 10))
    assert image.shape == (560, 560, 3) and '<div class="big">10:10</div>' in text
    assert "no clock found" in read_clock(Image.new("RGB", (90, 60), "white"))[1]
