"""The notebooks: their cells run, and each .ipynb holds what its .py says.

The .ipynb files are made by `uv run jupytext --to ipynb --update docs/notebooks/*.py`.
"""

import os
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "docs/notebooks").glob("*.py"))
NAMES = [path.stem for path in SCRIPTS]


@pytest.fixture(scope="module")
def cells_of():
    """`cells_of("clocks")`: namespace of a notebook after all its cells ran in this process, with little data."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    def execute(name):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DLCOURSE_DEBUG", "1")
            try:
                return runpy.run_path(str(ROOT / f"docs/notebooks/{name}.py"))
            finally:
                pyplot.close("all")

    return execute


def test_there_are_six():
    assert len(SCRIPTS) >= 6


@pytest.mark.whole
@pytest.mark.parametrize("name", [name for name in NAMES if name != "digits_and_maps"])
def test_its_cells_run(name, cells_of):
    found = cells_of(name)
    assert found["result"]["status"] == "completed" and Path(found["result"]["folder"], "result.json").exists()


def test_digits_and_maps_finds_the_figures_of_the_notes(cells_of):
    found = cells_of("digits_and_maps")
    assert round(360 * found["centre_accuracy"]) == 322
    assert round(360 * found["result"]["metrics"]["test/accuracy"]) == 357


def run_in_kernel(name: str, folder: Path) -> str:
    """Execute an .ipynb as Jupyter does, and return what its cells print."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(ROOT / f"docs/notebooks/{name}.ipynb", as_version=4)
    environment = os.environ | {"DLCOURSE_DEBUG": "1", "OMP_NUM_THREADS": "1"}
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)
    return "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the Jupyter libraries
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_in_jupyter(name, tmp_path):
    assert run_in_kernel(name, tmp_path)
    assert list((tmp_path / "outputs/notebook").glob("*/result.json"))


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_the_ipynb_holds_the_cells_of_the_script(script):
    jupytext = pytest.importorskip("jupytext")
    import nbformat

    source = jupytext.read(script)
    made = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    expected, cells = ([(cell.cell_type, cell.source) for cell in book.cells] for book in (source, made))
    assert cells == expected
    assert not any(cell.get("outputs") for cell in made.cells)
    assert cells[1][0] == "code" and "pip" in cells[1][1]  # after the title, the first cell installs
