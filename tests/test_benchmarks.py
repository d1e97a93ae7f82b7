"""The benchmarks' one command: names, table, JSON; every benchmark at a tiny size where slow tests run."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from benchmarks import clock_time, dial_art, dials, gpu, table, web_dials
from benchmarks.__main__ import main
from dlcourse.errors import UserError

ROOT = Path(__file__).parents[1]


def command(*words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "OMP_NUM_THREADS": "1"}
    call = [sys.executable, "-m", *words]
    return subprocess.run(call, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def here(monkeypatch, capfd):
    """Runs a benchmark's command in this process: exit code, stdout and stderr."""

    def start(program: Callable[[list[str]], int], *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
        with pytest.raises(SystemExit) as stop:
            table.leave_with(program)
        said = capfd.readouterr()
        return int(stop.value.code or 0), said.out, said.err

    return start


def only_json() -> dict:
    (path,) = Path("outputs/benchmarks").glob("*.json")
    return json.loads(path.read_text())


def test_a_wrong_name_is_answered_in_one_sentence_with_the_nearest(here):
    code, _, error = here(main, "mnist_dens")
    assert code == 1 and not Path("outputs").exists()
    (line,) = error.splitlines()
    assert "mnist_dens" in line and "mnist_dense" in line


def test_the_list_has_each_benchmark_with_what_it_measures(capsys):
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(table.names()) > 15
    assert all(line.partition("  ")[2].strip() for line in lines)
    by_name = [line.split()[0] for line in lines if "by name alone" in line]
    assert by_name == ["clock_time", "dials", "long_sweep", "preset_times"]


def test_a_run_leaves_a_table_and_a_json_with_the_machine():
    done = command("benchmarks", "report", "--quick")
    assert done.returncode == 0, done.stderr
    found = only_json()
    assert found["quick"] and found["machine"]["cores"] == os.cpu_count() and found["machine"]["versions"]["torch"]
    assert found["benchmarks"]["report"]["rows"][0]["what"] == "a report over 4 runs"
    assert "report: a report over 4 runs" in done.stdout and "outputs/benchmarks/" in done.stdout


def test_a_benchmark_that_fails_is_said_and_the_exit_code_is_not_0(here):
    code, _, error = here(main, "clock_time")
    assert code == 1 and "clock_time failed: clock_time wants two run folders" in error
    assert "Traceback" not in error
    assert "wants two run folders" in only_json()["benchmarks"]["clock_time"]["error"]


@pytest.mark.parametrize(
    ("row", "held"),
    [
        (table.rate("a", 60, "b", 10, "x/s", least=6), True),
        (table.rate("a", 50, "b", 10, "x/s", least=6), False),
        (table.spent("a", 1, "b", 10, least=6), True),
        (table.Row("a", 5, "s", "b", 4, 1, most=1.5), True),
        (table.Row("a", 5, "s", "b", 3, 2, most=1.5), False),
        (table.Row("a", 5), None),
    ],
)
def test_goals_are_held_or_missed(row, held):
    assert row.held is held
    text = table.text_table([row.as_dict()])
    assert ("held" in text, "MISSED" in text) == (held is True, held is False)


def run_folder(folder: Path, errors: list[float], seconds: float) -> Path:
    folder.mkdir()
    lines = ["epoch,step,val/error_minutes"] + [f"{i},{100 * i + 99},{error}" for i, error in enumerate(errors)]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    (folder / "result.json").write_text(json.dumps({"seconds": {"fit": seconds}}))
    return folder


def test_time_to_a_minute_is_the_fits_share_until_then(tmp_path):
    ours = run_folder(tmp_path / "ours", [9, 0.9, 0.5, 0.4], 400)
    theirs = run_folder(tmp_path / "theirs", [9, 3, 2, 1.0], 800)
    (row,) = clock_time.rows(False, str(ours), str(theirs))
    assert (row.ours, row.theirs, row.value, row.held) == (200, 800, 4, True)
    never = run_folder(tmp_path / "never", [9, 3], 1000)
    (row,) = clock_time.rows(False, str(ours), str(never))
    assert (row.theirs, row.value, "not there after 1000 s" in row.against) == (1000, 5, True)
    with pytest.raises(UserError, match="did not reach"):
        list(clock_time.rows(False, str(never), str(ours)))
    with pytest.raises(UserError, match="is not a finished run"):
        clock_time.seconds_to(tmp_path, 1.0)


def own_theme(folder: Path) -> Path:
    """A white dial with a red hour hand and a blue minute hand towards 12 o'clock, as PNG layers."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, shape, colour in (
        ("clock-face", (2, 2, 98, 98), "white"),
        ("clock-hour-hand", (47, 26, 53, 50), "red"),
        ("clock-minute-hand", (48, 8, 52, 50), "blue"),
    ):
        image = Image.new("RGBA", (101, 101))
        draw = ImageDraw.Draw(image)
        (draw.ellipse if name == "clock-face" else draw.rectangle)(shape, fill=colour)
        image.save(folder / f"{name}.png")
    return folder


def test_hands_of_a_dial_stand_at_its_time(tmp_path):
    parts = dial_art.find_designs([str(own_theme(tmp_path / "art/plain").parent)])["layers-plain"]
    dial = np.asarray(dial_art.compose(parts, 3 * 60 + 30)).astype(int)  # the hour hand is halfway from 3 to 4
    y, x = np.mgrid[: dial_art.SIDE, : dial_art.SIDE] - (dial_art.SIDE - 1) / 2

    def angle(mask: np.ndarray) -> float:
        return np.degrees(np.arctan2(x[mask].mean(), -y[mask].mean())) % 360

    red, green, blue, _ = dial.transpose(2, 0, 1)
    assert angle((red > 200) & (green < 60)) == pytest.approx(105, abs=1)
    assert angle((blue > 200) & (green < 60)) == pytest.approx(180, abs=1)


def test_pictures_of_dials_have_the_time_in_their_names_and_are_the_same_each_time(tmp_path):
    parts = dial_art.find_designs([str(own_theme(tmp_path / "plain"))])["layers-plain"]
    first, second = (tmp_path / name for name in ("first", "second"))
    for folder in (first, second):
        folder.mkdir()
        dials.write_pictures(folder, "plain", parts, 3)
    names = sorted(path.name for path in first.iterdir())
    assert len(names) == 3 and all(name[2] == "-" and "_plain_" in name for name in names)
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    with Image.open(first / names[0]) as opened:
        assert all(
            low <= side <= high for side, (low, high) in zip(opened.size, (dials.WIDTH, dials.HEIGHT), strict=True)
        )


def test_a_dial_counts_as_read_within_a_minute_and_where_it_is_found():
    paths = [Path(name) for name in ("12-00_a_000.png", "12-00_a_001.png", "06-30_a_002.png", "01-05_a_003.png")]
    answers = ["11:59", "no clock found", "06:33", "01:05"]
    row = dials.judged("a", paths, answers, np.array([719.0, 0, 393, 65]))
    assert (row.ours, row.value, row.more["median"], row.more["not_found"]) == (50, 1, 0.5, 1)
    assert row.more["wrong"] == {"12-00_a_001.png": "no clock found", "06-30_a_002.png": "06:33"}


def test_elements_of_a_drawing_are_left_out_with_what_is_within_them():
    svg = '<svg><defs><g id="kept"/></defs><g id="a"><g id="b"/><g id="c"/></g><g id="d"/></svg>'

    def ids(keep: set[str], drop: set[str]) -> str:
        root = dial_art.ElementTree.fromstring(svg)
        dial_art.only(root, keep, drop)
        return " ".join(element.get("id", "") for element in root.iter() if element.get("id"))

    assert ids(set(), {"b"}) == "kept a c d"
    assert ids({"c"}, set()) == "kept a c"
    assert ids({"a"}, {"d"}) == "kept a b c"


def test_dials_are_refused_without_artwork_and_their_options_elsewhere(here, tmp_path):
    code, _, error = here(main, "dials", "--quick", "--art", str(tmp_path))
    assert code == 1 and "no clock artwork in" in error and "--art FOLDER" in error
    code, _, error = here(main, "xor", "--quick", "--keep", str(tmp_path))
    assert code == 1 and "--art and --keep are for dials alone" in error


def test_web_components_need_their_packages(here, tmp_path):
    code, _, error = here(web_dials.main, str(tmp_path), str(tmp_path / "dials"))
    assert code == 1 and "lacks @hoseinh/react-analog-clock, analog-clock-react, react-clock: install" in error
    assert not (tmp_path / "dials").exists()


@pytest.mark.slow
def test_a_theme_of_ones_own_is_read(tmp_path):
    done = command("benchmarks", "dials", "--quick", "--art", str(own_theme(tmp_path / "plain")), "--keep", "pictures")
    assert done.returncode == 0, done.stderr
    rows = only_json()["benchmarks"]["dials"]["rows"]
    assert [row["what"] for row in rows] == ["layers-plain", "all 1 designs"]
    assert len(list(Path("pictures").glob("*_layers-plain_*.png"))) == 2


def test_trustworthiness_is_scikit_learns():
    from sklearn.manifold import trustworthiness

    from benchmarks.maps import NEIGHBOURS
    from benchmarks.maps import trustworthiness as ours

    draws = np.random.default_rng(0)
    x = draws.normal(size=(120, 6)).astype(np.float32)
    places = x[:, :2] + draws.normal(size=(120, 2)) / 3
    expected = trustworthiness(x, places, n_neighbors=NEIGHBOURS)
    assert ours(x, places, np.arange(120)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_without_a_gpu_its_figures_are_refused_in_one_sentence(here):
    code, _, error = here(gpu.main)
    assert code == 1
    assert error.splitlines() == [
        "error: torch sees no CUDA device here: run it where there is one, or with --device cpu --quick"
    ]


@pytest.mark.slow
def test_the_gpus_figures_at_a_tiny_size_on_the_cpu():
    done = command("benchmarks.gpu", "--device", "cpu", "--quick")
    assert done.returncode == 0, done.stderr
    drawn = {"clocks of 75 pixels", "clocks of 150 pixels", "cartoon faces of 64 pixels"}
    trained = {f"{preset}: {part}" for preset in gpu.TRAININGS for part in ("what happens once", "first step to last")}
    assert {row["what"] for row in only_json()["rows"]} == drawn | trained and not only_json()["problems"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in table.names() if name not in ("clock_time", "dials")])
def test_every_benchmark_at_a_tiny_size(name):
    done = command("benchmarks", name, "--quick")
    assert done.returncode == 0, done.stderr
    found = only_json()["benchmarks"][name]
    assert found["rows"] and found["error"] is None
