"""RESULTS.md and docs/experiments.md are what is generated, and the pages that people read hold the same metrics."""

import json
import re
import shutil
from pathlib import Path

import pytest

from dlcourse.config import CONF, choices
from dlcourse.errors import UserError
from dlcourse.reporting.documents import experiments_text, results_text
from dlcourse.reporting.entries import headline
from dlcourse.reporting.published import groups, hardware
from dlcourse.runs import metrics
from dlcourse.runs.references import reference_rows

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "outputs/published"
RESULTS = (ROOT / "RESULTS.md").read_text("utf8")
EXPERIMENTS = (ROOT / "docs/experiments.md").read_text("utf8")
NOTES = {path.stem: path.read_text("utf8") for path in (ROOT / "docs/notes").glob("*.md")}
AGAIN = "run: python -m dlcourse.report results=true"


def test_results_is_what_is_generated():
    assert results_text(PUBLISHED) == RESULTS, AGAIN
    assert len(RESULTS.splitlines()) <= 150


def test_the_list_of_experiments_is_what_is_generated():
    assert experiments_text() == EXPERIMENTS, AGAIN
    assert all(f"| `{name}` |" in EXPERIMENTS for name in choices("experiment", shipped=True))


@pytest.mark.parametrize("text", [RESULTS, EXPERIMENTS], ids=["RESULTS.md", "experiments.md"])
def test_no_cell_is_longer_than_a_line(text):
    cells = [cell.strip() for line in text.splitlines() if line.startswith("|") for cell in line.split(" | ")]
    assert max(map(len, cells)) <= 120


def test_results_has_one_row_for_each_reference_and_shows_every_published_result():
    rows = re.findall(r"^\| (?!id |---)(\S+) \|", RESULTS.split("## Other")[0], re.M)
    assert sorted(rows) == sorted(reference_rows())
    for name, runs in groups(PUBLISHED).items():
        metric = headline(runs[0])[0]
        assert metrics.spread_text(metric, metrics.spread([run.metrics[metric] for run in runs])) in RESULTS, name


def test_the_hardware_of_every_published_result_is_known():
    for run in (run for runs in groups(PUBLISHED).values() for run in runs):
        named = hardware(run, PUBLISHED)
        assert named and named in (run.result.processor or named), run.folder


def _figures(text: str) -> list[str]:
    """Numbers as in a table: without commas, thousands apart or not."""
    return re.findall(r"\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3})", "", text))


@pytest.mark.parametrize("name", choices("experiment"))
def test_a_preset_says_in_its_header_what_results_and_notes_say(name):
    header = (CONF / "experiment" / f"{name}.yaml").read_text("utf8").split("\ndefaults")[0].splitlines()
    (measured,) = [line for line in header if line.startswith("# Measured: ")]
    if measured.startswith("# Measured: not measured yet"):
        return
    assert any(line.startswith("# Reported: ") for line in header) and f"experiment={name}" in measured
    assert re.search(r", (under )?[\d.]+ minutes? on 2 cores; train ", measured)
    first = _figures(measured)[0]
    assert first in _figures(" ".join([RESULTS, *NOTES.values()])), (
        f"{name}: {first} is not in RESULTS.md or docs/notes"
    )
    if published := groups(PUBLISHED).get(name.replace("/", "_")):
        metric = headline(published[0])[0]
        mean = metrics.spread([run.metrics[metric] for run in published]).mean
        told = re.sub(r",? ?\b(under )?[\d.]+ minutes? on 2 cores|\d+ seeds?", "", measured.partition("; train")[0])
        shown = [(float(f), 0.501 * 10 ** -len(f.partition(".")[2])) for f in _figures(told)]
        assert any(abs(scale * mean - f) <= half for f, half in shown for scale in (1, 100, 1000)), (metric, mean)


@pytest.mark.parametrize("name", [name for name in choices("experiment", shipped=True) if name.startswith("quick/")])
def test_the_time_of_a_quick_preset_is_the_same_on_all_pages_and_under_two_minutes(name):
    pages = ["experiments/quick", "notes/speed", "guides/teaching"]
    rows = [
        line for page in pages for line in (ROOT / f"docs/{page}.md").read_text("utf8").splitlines()
        if f"| `{name}` |" in line
    ]  # fmt: skip
    assert len(rows) >= 2
    times = {int(re.search(r"\| \**(\d+)\**(?: \([^|]*\))? \|", row)[1]) for row in rows}
    (seconds,) = times
    assert seconds < 120
    header = (CONF / "experiment" / f"{name}.yaml").read_text("utf8")
    minutes = float(re.search(r"([\d.]+) minutes on 2 cores", header)[1])
    assert abs(minutes - seconds / 60) <= 0.051


def test_a_note_s_row_of_a_preset_holds_its_published_figure():
    found = 0
    for name, runs in groups(PUBLISHED).items():
        preset = str(runs[0].result.experiment)
        if re.sub(r"\W+", "_", preset) != name:
            continue  # a variant of a preset
        metric = headline(runs[0])[0]
        mean = metrics.number(metric, metrics.spread([run.metrics[metric] for run in runs]).mean)
        for page, text in NOTES.items():
            for row in re.findall(rf"^\| `{preset}`(?: \([^|]*\))? \| .*$", text, re.M):
                found += 1
                assert mean.replace(",", "") in _figures(row), f"docs/notes/{page}.md: {preset} has {mean}"
    assert found > 25


def test_a_result_is_added_by_one_command(make_run, tmp_path, command):
    """publish=[RUN] copies it, results=true puts it into the table."""
    (tmp_path / "docs").mkdir()
    for seed in (0, 1):
        place = "data.path='/home/me/my data/x.npz'" if seed else "+a.path=\\\\lab\\x.npz"
        own = {"overrides": [place], "config_dir": "/home/me/conf"}
        make_run(f"outputs/{seed}", 0.99 + seed / 100, seed=seed, experiment="mnist/fast", **own)
    code, out, error = command("report", "publish=[outputs/0,outputs/1]", "results=true")
    assert (code, error) == (0, "") and "wrote RESULTS.md" in out
    assert sorted(p.name for p in Path("outputs/published").iterdir()) == [
        "mnist_fast_seed0.json",
        "mnist_fast_seed1.json",
    ]
    published = [json.loads(p.read_text()) for p in sorted(Path("outputs/published").iterdir())]
    assert [one["overrides"] for one in published] == [["+a.path=x.npz"], ["data.path='x.npz'"]]  # not where they lie
    assert [one["config_dir"] for one in published] == ["conf", "conf"]
    (row,) = re.findall(r"^\| D-1epoch .*$", Path("RESULTS.md").read_text(), re.M)
    assert "| 100.00 % (1) | 99.27 % | better | `train --config-dir conf data.path=x.npz` |" in row
    changed = json.loads(Path("outputs/0/result.json").read_text()) | {"epochs": 9}
    Path("outputs/0/result.json").write_text(json.dumps(changed))
    assert "already exists with other metrics" in command("report", "publish=[outputs/0]")[2]


def test_seeds_of_one_configuration_are_one_row(make_run, tmp_path, monkeypatch):
    for seed in (0, 1):
        device = "NVIDIA H200" if seed else "cpu"
        run = make_run(f"outputs/{seed}", 0.99 + seed / 100, seed=seed, device=device, processor="Intel Xeon")
        shutil.copy(run / "result.json", tmp_path / f"mnist_fast_seed{seed}.json")
    (tmp_path / "hardware.yaml").write_text("Xeon: ['*_seed0']\n")
    (row,) = re.findall(r"^\| D-1epoch .*$", results_text(tmp_path), re.M)
    assert "| 99.50 ± 0.71 % (2) | 99.27 % | within noise | `train experiment=mnist/fast` |" in row
    assert "| 4.0 s, 4.0 s | Xeon, NVIDIA H200 |" in row  # the times of different machines are not averaged
    assert "| E1 | VGG block, batch 32, 10 epochs | test accuracy | – | 63.57 % | not run |" in results_text(tmp_path)
    (tmp_path / "hardware.yaml").write_text("Xeon: []\nEPYC: ['*_seed0']\n")
    assert "| 4.0 s, 4.0 s | Xeon, NVIDIA H200 |" in results_text(tmp_path)  # as recorded
    (tmp_path / "hardware.yaml").unlink()  # no short names
    assert "| 4.0 s, 4.0 s | Intel Xeon, NVIDIA H200 |" in results_text(tmp_path)
    earlier = json.loads((tmp_path / "mnist_fast_seed0.json").read_text()) | {"processor": None}
    (tmp_path / "mnist_fast_seed0.json").write_text(json.dumps(earlier))
    (tmp_path / "hardware.yaml").write_text("Xeon: []\nEPYC: ['*_seed0']\n")
    assert "| 4.0 s, 4.0 s | EPYC, NVIDIA H200 |" in results_text(tmp_path)


def test_results_outside_a_checkout_get_a_sentence(tmp_path, command):
    code, _, error = command("report", "results=true")
    assert code and "run it in the root of a checkout" in error and not Path("RESULTS.md").exists()


def test_a_broken_published_file_is_named(tmp_path):
    shutil.copy(PUBLISHED / "mnist_fast_seed0.json", tmp_path)
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(UserError, match=r"b\.json cannot be read"):
        groups(tmp_path)
