"""The report: what it reads, what it leaves aside, and how it holds ours against theirs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.config import choices
from dlcourse.config.paths import quote_path_list
from dlcourse.reporting.collect import collect
from dlcourse.reporting.entries import counts, entries
from dlcourse.runs import metrics
from dlcourse.runs.reference_commands import command as command_of
from dlcourse.runs.references import reference_rows


def _entry(folder: Path, name: str = "D-1epoch"):
    return next(e for e in entries(collect([folder]).runs) if e.id == name)


def test_seeds_of_one_configuration_are_folded_and_copies_count_once(make_run, tmp_path):
    for seed, accuracy in enumerate((0.99, 0.994, 0.998)):
        make_run(f"outputs/{seed}", accuracy, seed=seed)
    published = tmp_path / "outputs/published"
    published.mkdir()
    (published / "mnist_fast_seed0.json").write_text((tmp_path / "outputs/0/result.json").read_text())
    entry = _entry(tmp_path / "outputs")
    assert entry.ours is not None and entry.ours.n == 3
    assert entry.ours_text == "99.40 ± 0.40 %" and entry.theirs_text == "99.27 %"
    assert (entry.verdict, entry.kind, entry.difference_text) == ("within noise", "noise", "+0.13 points")
    assert entry.command == "python -m dlcourse.train -m experiment=mnist/fast seed=0,1,2"
    assert (entry.seconds, entry.cpu_seconds) == (4.0, 4.5)


def test_published_results_are_read_on_demand_and_stand_after_the_own_runs(make_run, tmp_path, command):
    theirs = make_run("elsewhere", 0.999, overrides=["experiment=mnist/fast", "threads=1"])
    make_run("outputs/zz_mine", 0.98, experiment=None, overrides=["model=fast_cnn", "data=mnist"])
    (tmp_path / "outputs/published").mkdir()
    (theirs / "result.json").rename(tmp_path / "outputs/published/mnist_fast_seed0.json")
    code, alone, _ = command("report")
    assert code == 0 and "1 run," in alone and "99.90 %" not in alone
    code, both, _ = command("report", "published=true")
    assert code == 0 and "2 runs," in both
    assert both.index("your runs") < both.index("98.00 %") < both.index("99.90 %")
    first, second = (e for e in entries(collect([tmp_path / "outputs"]).runs) if e.id == "D-1epoch")
    assert (first.ours_text, second.ours_text) == ("98.00 %", "99.90 %")


def test_times_of_different_machines_and_precisions_are_not_averaged(make_run, tmp_path):
    for seed, (seconds, processor) in enumerate(((100, "AMD EPYC"), (300, "AMD EPYC"), (10, "Intel Xeon"))):
        make_run(f"outputs/{seed}", seed=seed, seconds={"fit": seconds}, cpu_seconds=seconds, processor=processor)
    entry = _entry(tmp_path / "outputs")
    assert entry.ours is not None and entry.ours.n == 3
    assert entry.times == {"AMD EPYC": 200, "Intel Xeon": 10} and entry.cpu_seconds == 200
    assert "(AMD EPYC)" in entry.time_text and "(Intel Xeon)" in entry.time_text
    make_run("outputs/3", seed=3, seconds={"fit": 40}, processor="AMD EPYC", precision="bf16-mixed",
             overrides=["experiment=mnist/fast", "trainer.precision=bf16-mixed", "seed=3"])  # fmt: skip
    entry = _entry(tmp_path / "outputs")
    assert entry.ours is not None and entry.ours.n == 4
    assert entry.times == {"AMD EPYC 32-true": 200, "Intel Xeon 32-true": 10, "AMD EPYC bf16-mixed": 40}


def test_a_rendered_figure_is_never_called_better(make_run, tmp_path):
    rows = [{"id": "G4", "metric": "test/error_minutes", "value": 11.71, "better": "lower"}]
    metrics = {"test/error_minutes": 0.5}
    make_run("outputs/a", data="clocks", experiment=None, references=rows, metrics=metrics, rendered=True)
    assert _entry(tmp_path / "outputs", "G4").verdict == "rendered"
    result = json.loads((tmp_path / "outputs/a/result.json").read_text())
    del result["rendered"]  # as an older version wrote it
    (tmp_path / "outputs/a/result.json").write_text(json.dumps(result))
    assert _entry(tmp_path / "outputs", "G4").kind == "rendered"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "failed"},
        {"overrides": ["experiment=mnist/fast", "debug=fast"]},
        {"metrics": {"test/accuracy": None}},
        {"metrics": {"test/accuracy": float("nan")}},
        {"run": "somewhere"},
    ],
)
def test_what_proves_nothing_is_not_held_against_a_reference(make_run, tmp_path, changes):
    make_run("outputs/a", **changes)
    found = collect([tmp_path / "outputs"])
    assert len(found.runs) == 1  # but it is listed
    assert not any(entry.runs for entry in entries(found.runs))


def test_copies_of_a_tracker_and_predictions_are_passed_over(make_run, tmp_path):
    make_run("outputs/a")
    make_run("outputs/mlartifacts/1/artifacts", accuracy=0.5)
    (tmp_path / "outputs" / "day-predict").mkdir()
    (tmp_path / "outputs" / "day-predict" / "predictions.csv").touch()
    found = collect([tmp_path / "outputs"], exclude=tmp_path / "outputs")
    assert [run.folder.name for run in found.runs] == ["a"] and not found.skipped


def test_a_preset_stands_before_a_luckier_trial(make_run, tmp_path):
    make_run("outputs/lucky", 0.999, experiment=None, overrides=["model=fast_cnn", "data=mnist", "model.width=9"])
    make_run("outputs/preset", 0.99)
    first, second = (e for e in entries(collect([tmp_path / "outputs"]).runs) if e.id == "D-1epoch")
    assert (first.first, first.verdict, second.first, second.verdict) == (True, "worse", False, "not comparable")
    assert counts([first, second]) == {"references": 1, "worse": 1}


STRANGERS = {
    "empty/": "it is empty",
    "holiday/photo.txt": "not a run folder: photo.txt",
    "begun/config.yaml": "result.json not found",
    "half/result.json": "cannot be read",
    "list/result.json": "not a result of dlcourse",
    "other/result.json": "not a result of dlcourse",
    "later/result.json": "later version of dlcourse",
    "odd/result.json": "not a result of dlcourse: a reference without id",
}
TEXTS = {"half": '{"schema": 1, "sta', "list": "[1, 2]", "other": '{"status": "ok"}', "later": '{"schema": 99}',
         "odd": '{"schema": 1, "status": "completed", "metrics": {}, "references": [3]}'}  # fmt: skip


def test_half_written_and_foreign_folders_are_listed_and_skipped(make_run, tmp_path, command):
    make_run("outputs/good", 0.994)
    for name in STRANGERS:
        path = tmp_path / "outputs" / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True)
        if not name.endswith("/"):
            path.write_text(TEXTS.get(path.parent.name, "x"))
    found = collect([tmp_path / "outputs"])
    assert [run.folder.name for run in found.runs if run.folder] == ["good"]
    said = {str(item.path.relative_to(tmp_path / "outputs")): item.reason for item in found.skipped}
    for name, reason in STRANGERS.items():
        place = name if name.endswith("result.json") else str(Path(name).parent) if "." in name else name.rstrip("/")
        assert reason in said[place], (name, said)
    code, out, error = command("report")
    assert (code, error) == (0, "") and "1 run," in out and out.count("skipped ") == len(STRANGERS)
    page = Path("outputs/report/report.html").read_text()
    assert all(name.split("/")[0] in page for name in STRANGERS)


def test_nothing_there_shows_every_command(tmp_path, command):
    (tmp_path / "outputs").mkdir()
    code, out, error = command("report")
    assert (code, error) == (0, "") and f"0 of {len(reference_rows())} references with a run" in out
    text = Path("outputs/report/report.md").read_text()
    assert "`python -m dlcourse.train experiment=digits/a1`" in text and "not run" in text
    assert "Runs not found" in Path("outputs/report/report.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["folders=[nowhere]"], "nowhere is not a folder"),
        (["compare=[a]"], "compare needs two runs, but one was given"),
        (["compare=[a,b,c]"], "compare needs two runs, but 3 were given"),
        (["compare=[run,elsewhere]"], "elsewhere does not exist"),
        (["compare=[run,folder]"], "folder: not a run folder, result.json not found"),
        (["compare=[run,begun]"], "begun: the run is not finished, result.json not found"),
        (["compare=[run,broken]"], "cannot be read"),
        (["compare=[run,run]"], "run was given twice"),
        (["pictures=-1"], "pictures=-1 is not a valid number of pictures"),
        (["picture_width=wide"], "picture_width=wide is not a valid number of pixels"),
        (["publish=[folder]"], "folder is not a completed run"),
        (["publish=[failed]"], "failed is failed: publish a completed run"),
        (["results=true"], "run it in the root of a checkout"),
        (["comapre=[a,b]"], "unknown key comapre; did you mean compare?"),
    ],
)
def test_a_wrong_word_gets_one_sentence(make_run, tmp_path, command, words, said):
    make_run("run")
    make_run("failed", status="failed")
    for name in ("folder", "begun", "broken"):
        (tmp_path / name).mkdir()
    (tmp_path / "begun/config.yaml").write_text("seed: 0")
    (tmp_path / "broken/result.json").write_text("{")
    code, out, error = command("report", *words)
    assert code == 1 and said in error and error.startswith("error: ") and len(error.strip().splitlines()) == 1
    assert not out and not list(tmp_path.rglob("*.html")) and not list(tmp_path.glob("outputs/*"))


def test_every_reference_has_a_command():
    """A1's is its preset by the name, B1-0.6's a preset with a value from the id."""
    assert command_of("A1") == "python -m dlcourse.train experiment=digits/a1"
    assert command_of("B1-0.6") == "python -m dlcourse.train experiment=xor/b1 model.optimizer.lr=0.6"
    assert command_of("A6-umap") == "python -m dlcourse.embed data=digits16 method=umap"
    assert command_of("G3-240") == "python -m dlcourse.train experiment=clocks/g3_240"
    assert all(map(command_of, reference_rows())) and command_of("Z9") is None


def test_a_reference_names_presets_that_exist():
    presets = {f"experiment={name}" for name in choices("experiment")}
    commands = [command for name in reference_rows() if (command := command_of(name))]
    named = {word for command in commands for word in command.split() if word.startswith("experiment=")}
    assert named and named <= presets


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("test/accuracy", 0.99466, "99.47 %"),
        ("test/error_minutes", 0.5844, "0.58 min"),
        ("test/error_minutes", 181.64, "181.6 min"),
        ("test/iterations", 7899.0, "7,899"),
        ("test/loss", 0.06294, "0.06294"),
        ("test/loss", 0.0, "0"),
        ("test/loss", None, "–"),
    ],
)
def test_figures_are_told_as_a_person_reads_them(metric, value, text):
    assert metrics.figure(metric, value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.31, "0.3 s"), (18, "18 s"), (515, "8:35 min"), (7500, "2:05 h")])
def test_durations(seconds, text):
    assert metrics.duration(seconds) == text


@given(st.floats(-1e9, 1e9, allow_nan=False))
def test_any_number_can_be_told(value):
    for metric in ("test/accuracy", "test/error_minutes", "test/loss"):
        assert metrics.figure(metric, value) and metrics.number(metric, value, signed=True)


def test_report_imports_no_torch(make_run, tmp_path):
    make_run("outputs/a", 0.994, pictures=2)
    code = "import sys; from pathlib import Path\nfrom dlcourse.reporting import report\nlist(report())\n"
    code += (
        "list(report(compare=[Path('outputs/a'), Path('b')]))\nassert not {'torch', 'matplotlib'} & set(sys.modules)"
    )
    make_run("b", 0.9)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("names", [("a b", "ü"), ("x,y", "x"), ("(1)", "it's"), ("k=1", "a,b,c"), ("${x}", "t~")])
def test_paths_of_a_list_are_taken_as_a_shell_gives_them(make_run, command, names):
    for name in names:
        make_run(name, classes="cat,10,1,0.1,dog\n")
    code, out, error = command("report", f"compare=[{','.join(names)}]", f"output=out {names[0]}")
    assert (code, error) == (0, "") and "0 classes are better" in out
    assert (Path(f"out {names[0]}") / "compare.html").exists()


def test_lists_that_are_hydras_own_are_left_alone(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert quote_path_list("['a,b',c]") == "['a,b',c]"
    assert quote_path_list("[~/a, b]") == "['/home/me/a','b']"
    assert quote_path_list("[]") == "[]" and quote_path_list("a") == "['a']"


def test_pictures_are_inlined_or_lie_beside_a_page_that_they_would_make_too_large(
    make_run, tmp_path, command, monkeypatch
):
    make_run("outputs/a", 0.994, pictures=3)
    (tmp_path / "outputs/a/plots/broken.png").write_bytes(b"no picture")
    assert command("report")[0] == 0
    page = Path("outputs/report/report.html")
    assert page.read_text().count("data:image/webp") == 3 and not Path("outputs/report/pictures").exists()
    monkeypatch.setattr("dlcourse.reporting.page.MEGABYTES", 1)
    assert command("report")[0] == 0
    assert "data:image/webp" not in page.read_text() and len(list(Path("outputs/report/pictures").iterdir())) == 3


def test_sweeps_are_shown_with_their_table_and_pictures(make_run, tmp_path, command):
    make_run("outputs/sweeps/rates/0", 0.99)
    (tmp_path / "outputs/sweeps/rates/sweep.csv").write_text("job,lr,test/accuracy\n0,0.1,0.990000001\n")
    assert command("report")[0] == 0
    page = Path("outputs/report/report.html").read_text()
    assert "<h3>rates</h3>" in page and "<td>0.99</td>" in page and "1 sweep," in command("report")[1]


def test_what_a_run_says_cannot_break_the_page(make_run, command):
    nasty = "<script>alert(1)</script>|`x`"
    make_run("outputs/<b>&", model=nasty, error=nasty, status="failed", overrides=[f"name={nasty}"])
    assert command("report")[0] == 0
    assert "<script>alert" not in Path("outputs/report/report.html").read_text()


def test_two_runs_side_by_side(make_run, command):
    make_run("a", 0.9, classes="cat,10,4,0.4,dog\ndog,10,1,0.1,cat\nfox,10,0,0,\n")
    make_run("b", 0.95, classes="dog,10,2,0.2,fox\ncat,10,1,0.1,dog\nfox,10,0,0,\n", seed=3)
    code, out, error = command("report", "compare=[a,b]")
    assert (code, error) == (0, "") and "1 classes are better in B, 1 worse, 1 the same" in out
    text = Path("outputs/report/compare.md").read_text()
    assert "| test/accuracy | 90.00 % | 95.00 % | better |" in text
    assert (
        "| cat | 40.0 % | 10.0 % | +30.0 |" in text
        and "| seed | 0 | 3 |" in text
        and "| model.lr | 0.9 | 0.95 |" in text
    )
    page = Path("outputs/report/compare.html").read_text()
    assert page.count("<svg") == 2 and page.index("<td>cat</td>") < page.index("<td>fox</td>") < page.index(
        "<td>dog</td>"
    )


def test_runs_without_figures_of_classes_are_compared_all_the_same(make_run, command):
    make_run("a")
    make_run("b", classes="cat,10,1,0.1,\n")
    assert command("report", "compare=[a,b]")[0] == 0
    assert "A: plots/per_class.csv not found" in Path("outputs/report/compare.html").read_text()


def test_hidden_folders_are_passed_over_and_a_folder_named_twice_is_read_once(make_run, tmp_path):
    make_run("outputs/.trash/run")
    make_run("outputs/run")
    (tmp_path / "outputs/sweep").mkdir()
    (tmp_path / "outputs/sweep/sweep.csv").write_text("job\n0\n")
    found = collect([Path("outputs"), tmp_path / "outputs"])
    assert [Path(run.name).name for run in found.runs] == ["run"] and len(found.sweeps) == 1
