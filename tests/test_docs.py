"""The documentation site builds, its generated reference is complete, its tables are readable, its commands compose."""

import posixpath
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dlcourse.config import CONF, compose
from dlcourse.runs.keys import keys_of
from tests.commands import check_command, commands_of

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
WIDEST = 160  # characters of a table's cell
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text("utf8")
    for path in sorted(DOCS.rglob("*.md"))
    if path != DOCS / "results.md"  # RESULTS.md takes its place
}
# The files that own-net.md has the reader write are not here: tests/test_extending.py runs its commands.
COMMANDS = {command for page, text in PAGES.items() if page != "guides/own-net.md" for command in commands_of(text)}
COMMANDS -= set(commands_of((ROOT / "README.md").read_text("utf8")))  # which tests/test_readme.py composes
CHOICES = [path for path in sorted(CONF.rglob("*.yaml")) if path.parent != CONF]


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    """The generated pages by path."""
    pytest.importorskip("griffe", reason="the documentation's packages are not installed: uv sync --group docs")
    sys.path.insert(0, str(ROOT / "tools" / "docs"))
    try:
        from pages import pages
    finally:
        sys.path.remove(str(ROOT / "tools" / "docs"))
    return pages()


def keys_in(node: Any, name: str = "") -> Iterator[str]:
    """The dotted keys of a YAML's values, without what is not set on a command line."""
    for key, value in node.items():
        path = f"{name}{key}"
        if key in ("_target_", "_partial_") or path in ("defaults", "hydra.help"):
            continue
        yield from keys_in(value, f"{path}.") if isinstance(value, dict) and value else (path,)


def rows_of(text: str) -> dict[str, tuple[str, str]]:
    """Default and meaning by key, of every table of keys."""
    found = re.findall(r"^\| `([^`]+)` \| (?:`([^|]*)`|([^|`]*)) \| (.*) \|$", text.replace(r"\|", "/"), re.M)
    return {key: (code or plain, meaning) for key, code, plain, meaning in found}


def section_of(generated: dict[str, str], group: str, name: str) -> str:
    """The part of a group's page about one choice."""
    page = generated[f"reference/config/{group.replace('/', '-')}.md"]
    (found,) = re.findall(rf"^## `{re.escape(f'{group}={name}')}`\n(.*?)(?=^## |\Z)", page, re.S | re.M)
    return found


def is_listed(key: str, rows: dict[str, tuple[str, str]]) -> bool:
    """Whether a row has a file's key, or shows the value that holds it; its group's name may stand before it."""
    parts = key.split(".")
    ends = {".".join(parts[:count]): count == len(parts) for count in range(1, len(parts) + 1)}
    return any(
        (name == end or name.endswith(f".{end}")) and (whole or rows[name][0] != "")
        for end, whole in ends.items()
        for name in rows
    )


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    pytest.importorskip("mkdocs", reason="the documentation's packages are not installed: uv sync --group docs")
    call = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = {"PATH": "/usr/bin:/bin", "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120, check=False)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        text = page.read_text("utf8")
        assert not re.search(r"<(?:script|img|iframe)[^>]*src=\"?https?:|<link[^>]*stylesheet[^>]*https?:", text), page


def test_links_lead_to_pages_and_the_menu_has_every_page(generated):
    pages = PAGES | generated
    for page, text in pages.items():
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", prose):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
            assert path in pages or (DOCS / path).exists(), f"{page}: {link}"
    menu = set(re.findall(r"([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf8"), re.M))
    assert not menu - set(pages) and not set(PAGES) - menu


@pytest.mark.parametrize("command", sorted(path.stem for path in CONF.glob("*.yaml") if path.stem != "references"))
def test_a_command_has_a_page_with_every_key(command, generated):
    rows = rows_of(generated[f"reference/commands/{command}.md"])
    keys = list(keys_in(yaml.safe_load((CONF / f"{command}.yaml").read_text("utf8"))))
    assert len(keys) > 2 and not [key for key in keys if key not in rows]


def test_every_group_and_choice_and_key_is_listed(generated):
    for path in CHOICES:
        group, name = path.parent.relative_to(CONF).as_posix(), path.stem
        text = path.read_text("utf8")
        if group.startswith("experiment/"):
            preset = f"experiment={group.removeprefix('experiment/')}/{name}"
            shown = "\n".join(f"    {line}".rstrip() for line in text.strip().splitlines())
            assert f'"{preset}"\n\n    ```yaml\n{shown}\n' in generated["reference/config/experiment.md"], path
            continue
        rows = rows_of(section_of(generated, group, name))
        keys = list(keys_in(yaml.safe_load(text)))
        assert not [key for key in keys if not is_listed(key, rows)], path
        assert not [key for key, (_, meaning) in rows.items() if not meaning], (
            f"{path}: say what it means beside the key"
        )


@pytest.mark.parametrize("choices", [
    {"data": "clocks", "model": "clock_transfer", "trainer": "auto", "callbacks": "ema", "logger": "mlflow",
     "data/augment": "none", "model/encoding": "multihead", "model/optimizer": "adam", "model/schedule": "plateau"},
    {"data": "mnist", "model": "mlp", "trainer": "ddp", "callbacks": "early_stopping", "logger": "wandb",
     "data/augment": "cifar", "model/net": "mlp", "model/optimizer": "muon", "model/schedule": "one_cycle"},
])  # fmt: skip
def test_a_key_is_named_as_the_command_line_names_it(choices, generated):
    lists = ("callbacks", "logger")
    known = keys_of(compose(*(f"{group}={f'[{name}]' if group in lists else name}" for group, name in choices.items())))
    for group, name in choices.items():
        rows = rows_of(section_of(generated, group, name))
        assert not set(rows) - set(known), group


def test_no_cell_is_wider_than_a_line(generated):
    for page, text in {**PAGES, **generated}.items():
        cells = [cell for line in text.splitlines() if line.startswith("|") for cell in re.split(r"(?<!\\)\|", line)]
        assert not [cell for cell in cells if len(cell.strip()) > WIDEST], page


def test_the_trees_name_every_package_and_the_layers_are_those_of_the_contract():
    page = PAGES["architecture.md"]
    folders = {path.parent.name: path for path in (ROOT / "src/dlcourse").glob("*/*") if path.parent.name[0] != "_"}
    code = {name for name in folders if (ROOT / "src/dlcourse" / name / "__init__.py").exists()}
    tree, layers = re.findall(r"```text\n(.*?)```", page, re.S)[:2]
    assert set(folders) == set(re.findall(r"(?:^  |(?<=/ ))(\w+)/", tree, re.M))
    readme = (ROOT / "README.md").read_text("utf8")
    assert set(re.findall(r"^(\w+)/ ", readme, re.M)) == code
    (contract,) = [
        found["layers"]
        for found in tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["tool"]["importlinter"]["contracts"]
        if found["type"] == "layers"
    ]
    assert layers.splitlines()[1:] == [layer.replace(" | ", ", ") for layer in contract[2:]]
    for path in re.findall(r"`([a-z_/]+/[a-z_]+\.(?:py|yaml))`", page):
        assert (ROOT / path).exists() or (ROOT / "src/dlcourse" / path).exists(), path


@pytest.mark.parametrize("command", sorted(COMMANDS), ids=" ".join)
def test_every_command_composes(command):
    check_command(*command)


LESSONS = sorted(page for page in PAGES if page.startswith("lessons/") and page != "lessons/index.md")
PARTS = ["The question", "The idea", "The command", "What you should see", "Three questions", "What to change next",
         "Common mistakes"]  # fmt: skip


@pytest.mark.parametrize("page", LESSONS)
def test_a_lesson_has_its_parts_three_questions_and_commands(page):
    text = PAGES[page]
    assert re.findall(r"^## (.+)$", text, re.M) == PARTS
    assert len(re.findall(r'^\?\?\? question "', text, re.M)) == 3
    assert len(list(commands_of(text))) >= 2
    assert f"({page.removeprefix('lessons/')})" in PAGES["lessons/index.md"]


def test_there_are_commands():
    assert len(COMMANDS) > 40
