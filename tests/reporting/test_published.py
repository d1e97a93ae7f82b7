"""RESULTS.md is what the notes and the published figures make, and a preset's header says the same."""

import json
import re
import shutil
from pathlib import Path

import pytest

from dlcourse.config import CONF, choices
from dlcourse.errors import UserError
from dlcourse.reporting.published import experiments_text, groups, results_text

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "outputs/published"


def test_results_is_what_is_generated():
    made = results_text(ROOT / "docs/results.md", PUBLISHED)
    assert made == (ROOT / "RESULTS.md").read_text("utf8"), "run: python -m dlcourse.report results=true"


def test_the_list_of_experiments_is_what_is_generated():
    again = "run: python -m dlcourse.report results=true"
    assert experiments_text() == (ROOT / "docs/experiments.md").read_text("utf8"), again
    assert all(f"`experiment={name}`" in experiments_text() for name in choices("experiment"))


def test_every_published_result_is_in_results():
    text = (ROOT / "RESULTS.md").read_text("utf8")
    assert not [name for name in groups(PUBLISHED) if f"`{name}`" not in text]


def _figures(text: str) -> list[str]:
    """Numbers as in a table: without commas, thousands apart or not."""
    return re.findall(r"\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3})", "", text))


@pytest.mark.parametrize("name", choices("experiment"))
def test_a_preset_says_in_its_header_what_results_says(name):
    header = (CONF / "experiment" / f"{name}.yaml").read_text("utf8").splitlines()[1:5]
    (measured,) = [line for line in header if line.startswith("# Measured: ")]
    if measured.startswith("# Measured: not measured yet"):
        return
    assert any(line.startswith("# Reported: ") for line in header) and f"experiment={name}" in measured
    first = _figures(measured)[0]
    assert first in _figures((ROOT / "RESULTS.md").read_text("utf8")), f"{name}: {first} is not in RESULTS.md"


def test_a_result_is_added_by_one_command(make_run, tmp_path, command):
    """publish=[RUN] copies it, results=true puts it into the table."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/results.md").write_text(
        "test {{ mnist_fast['test/accuracy'] }} of {{ mnist_fast | length }}\n\n{{ published() }}\n"
    )
    for seed in (0, 1):
        place = "data.path='/home/me/my data/x.npz'" if seed else "+a.path=\\\\lab\\x.npz"
        make_run(f"outputs/{seed}", 0.99 + seed / 100, seed=seed, experiment="mnist/fast", overrides=[place])
    code, out, error = command("report", "publish=[outputs/0,outputs/1]", "results=true")
    assert (code, error) == (0, "") and "wrote RESULTS.md" in out
    assert sorted(p.name for p in Path("outputs/published").iterdir()) == [
        "mnist_fast_seed0.json",
        "mnist_fast_seed1.json",
    ]
    published = [json.loads(p.read_text())["overrides"] for p in sorted(Path("outputs/published").iterdir())]
    assert published == [["+a.path=x.npz"], ["data.path='x.npz'"]]  # not where they lie
    text = Path("RESULTS.md").read_text()
    assert text.startswith("test 99.50 ± 0.71 % of 2\n")
    assert "| 2 | test/accuracy | 99.50 ± 0.71 % | D-1epoch 99.27 % | better | 4 | 4 |" in text
    changed = json.loads(Path("outputs/0/result.json").read_text()) | {"epochs": 9}
    Path("outputs/0/result.json").write_text(json.dumps(changed))
    assert "is there already with other figures" in command("report", "publish=[outputs/0]")[2]


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ("{{ nothing.of('x') }}", "nothing"),
        ("a\n{{ mnist_fast.of('test/solved') }}", "has no test/solved"),
        ("a\n{{", "line 2"),
    ],
)
def test_notes_that_ask_for_what_is_not_published_get_a_sentence(tmp_path, notes, said):
    (tmp_path / "results.md").write_text(notes)
    with pytest.raises(UserError, match=said):
        results_text(tmp_path / "results.md", PUBLISHED)


def test_a_broken_published_file_is_named(tmp_path):
    shutil.copy(PUBLISHED / "mnist_fast_seed0.json", tmp_path)
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(UserError, match=r"b\.json cannot be read"):
        groups(tmp_path)
