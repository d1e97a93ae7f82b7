"""What README prints works: its commands compose, its notebook lines run, its net is added in two files."""

import re
from pathlib import Path

import pytest

from dlcourse.config import CONF, choices
from tests.commands import check_command, commands_of
from tests.conftest import NET, PINNED, TINY

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
RESULTS = (ROOT / "docs" / "results.md").read_text()
COMMANDS = list(commands_of(README))
COMMANDS += re.findall(r"`python -m dlcourse\.(train) ([^`]*trainer=gpu[^`]*)`", RESULTS)
ROWS = re.findall(r"^\| `(model=\w[^`]*|experiment=[^`]*)`", README, re.M)


@pytest.mark.parametrize(("verb", "words"), [*COMMANDS, *(("train", row) for row in ROWS)])
def test_every_command_composes(verb, words):
    check_command(verb, words)


def test_there_are_commands_and_choices_are_named():
    assert len(COMMANDS) >= 6 and ROWS
    for group in (
        "model",
        "model/net",
        "model/encoding",
        "model/optimizer",
        "model/schedule",
        "data",
        "trainer",
        "callbacks",
        "logger",
        "search",
    ):
        for name in choices(group):
            assert f"`{name}`" in README or f"`[{name}" in README, f"{group}={name} is not in README"


def test_the_notebook_lines_run(monkeypatch):
    (lines,) = [
        code for code in re.findall(r"```python\n(.*?)```", README, re.S) if "from dlcourse.commands.train" in code
    ]
    small = ", ".join(f'"{word}"' for word in [*TINY, *NET, *PINNED])
    lines = lines.replace('"debug=fast"', small)
    exec(compile(lines, "README", "exec"), {})
    assert Path("outputs/mine/result.json").exists()


def test_no_figure_is_missing():
    texts = [README, (ROOT / "RESULTS.md").read_text(), *(path.read_text() for path in CONF.rglob("*.yaml"))]
    assert not [text for text in texts if "@@" in text]
