"""README's commands in a shell, as printed: each shell passes the words that are meant, and two commands run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text("utf8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S)
LINES = [line for block in BLOCKS for line in block.splitlines()]
# Programs that record their words instead of running; uv starts what follows `run`.
RECORD = '#!/bin/sh\nfor word in "$@"; do printf "%s\\0" "$word"; done >> "$RECORDED"; printf "\\n" >> "$RECORDED"\n'
UV = '#!/bin/sh\nif [ "$1" = run ]; then shift; [ "$1" = --no-sync ] && shift; exec "$@"; fi\n'
SHELLS = {
    "bash": ["bash", "-c"],
    "zsh": ["zsh", "-f", "-c"],
    "zsh, typed": ["zsh", "-f", "-o", "no_interactive_comments", "-i", "-c"],  # where `#` does not begin a comment
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_passes_the_words_that_are_meant(tmp_path, shell):
    if shutil.which(SHELLS[shell][0]) is None:
        pytest.skip(f"{SHELLS[shell][0]} is not installed")
    for name, text in {"python": RECORD, "pytest": RECORD, "uv": UV}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    recorded = tmp_path / "recorded"
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RECORDED": str(recorded)}
    for line in LINES:
        done = subprocess.run([*SHELLS[shell], line], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    passed = [line.split("\0")[:-1] for line in recorded.read_text().splitlines()]
    passed = [words[: words.index("#")] if "#" in words and "-m" in words else words for words in passed]  # as dlcourse
    meant = [words for line in LINES for words in _commands(line)]
    assert len(meant) > 12 and passed == meant


def _commands(line: str) -> list[list[str]]:
    """The words behind `python` and `pytest` in a line."""
    parts = [shlex.split(part, comments=True) for part in line.split(" && ")]
    parts = [words[2 + ("--no-sync" in words) :] if words[:2] == ["uv", "run"] else words for words in parts]
    return [words[1:] for words in parts if words[0] in ("python", "pytest")]


@pytest.mark.slow
def test_commands_run_in_a_shell_as_printed():
    train, report = (next(line for line in LINES if end in line) for end in ("debug=fast", "dlcourse.report"))
    script = f'set -e\npython() {{ {shlex.quote(sys.executable)} "$@"; }}\n{train}\n{report}\n'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    check_runs()


@pytest.mark.whole
def test_commands_run_as_printed(command):
    """The two that take seconds: a training, and the page of all runs after it."""
    for end in ("debug=fast", "dlcourse.report"):
        ((_, module, *words),) = _commands(next(line for line in LINES if end in line))
        code, _, error = command(module.removeprefix("dlcourse."), *words)
        assert code == 0, error
    check_runs()


def check_runs() -> None:
    """The training is completed, and the page shows it."""
    (result,) = Path("outputs").glob("*/*/result.json")
    assert json.loads(result.read_text())["status"] == "completed"
    assert result.parent.name in Path("outputs/report/report.html").read_text()
