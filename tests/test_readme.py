"""What README and the pages print works: commands compose, notebook lines run; README is short."""

import re
from pathlib import Path

import pytest

from dlcourse.config import CONF
from tests.commands import check_command, commands_of
from tests.conftest import NET, PINNED, TINY

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf8")
RESULTS = (ROOT / "RESULTS.md").read_text("utf8")
PAGES = [*sorted((ROOT / "docs/notes").glob("*.md")), ROOT / "docs/guides/troubleshooting.md"]
TEXT = "\n".join([README, *(path.read_text("utf8") for path in PAGES)])
COMMANDS = list(dict.fromkeys(commands_of(TEXT)))
ROWS = re.findall(r"^\| `(model=\w[^`]*|experiment=[^`]*)`", README, re.M)
MAIN = "python -m pip install uv && uv run python -m dlcourse.train model=clock_multihead data=clocks\n"
TESTS = "python -m pip install uv && uv run pytest\n"


@pytest.mark.parametrize(("verb", "words"), [*COMMANDS, *(("train", row) for row in ROWS)])
def test_every_command_composes(verb, words):
    check_command(verb, words)


def test_the_two_commands_and_the_six_tasks_are_there():
    assert f"\n{MAIN}" in README and f"\n{TESTS}" in README
    tasks = README.split("## Six things to do")[1].split("## Options")[0]
    assert len(re.findall(r"^python -m dlcourse", tasks, re.M)) == 6


def test_brackets_and_patterns_are_quoted():
    """A shell may expand them, or refuse to."""
    code = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.S))
    bare = re.sub(r"'[^']*'|#.*$", "", code, flags=re.M)
    assert not re.findall(r"\S*[\[\]*]\S*", bare)


def test_readme_is_short_and_its_tables_are_narrow():
    assert len(README.splitlines()) <= 150
    rows = [line.strip("| ") for line in README.splitlines() if line.startswith("|")]
    assert max(len(cell) for row in rows for cell in row.split(" | ")) <= 60
    assert 2 <= len(ROWS) <= 12


@pytest.mark.parametrize("row", re.findall(r"^\| (`(?:model|experiment)=.*) \|$", README, re.M))
def test_a_row_of_readme_holds_the_figure_of_results(row):
    ours = re.search(r"\d+\.\d+(?: ± \d+\.\d+)?", row.split(" | ")[2])
    words = row.split("`")[1].replace("data.path=FOLDER", "").strip()
    held = [line for line in RESULTS.splitlines() if re.search(rf"`train {re.escape(words)}[ `]", line)]
    assert ours and any(ours[0] in line for line in held)


def test_links_of_readme_lead_somewhere():
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / link).exists(), link


@pytest.mark.whole
def test_the_notebook_lines_run():
    (lines,) = [code for code in re.findall(r"```python\n(.*?)```", README, re.S) if "from dlcourse import" in code]
    small = ", ".join(f'"{word}"' for word in [*TINY, *NET, *PINNED])
    lines = lines.replace('"debug=fast"', small)
    exec(compile(lines, "README", "exec"), {})
    assert Path("outputs/mine/result.json").exists()


def test_no_figure_is_missing():
    texts = [TEXT, RESULTS, *(path.read_text() for path in CONF.rglob("*.yaml"))]
    assert not [text for text in texts if "@@" in text]
