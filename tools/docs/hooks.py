"""What MkDocs calls while it builds the site: adds the generated pages and repairs links that leave docs/."""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File
from pages import pages

GENERATED = {"Commands": "commands", "Config groups": "config"}  # parts of the navigation, and their folders
WIDE = ("results.md", "experiments.md", "reference/reported.md")  # tables that need the width of the page
_made: dict[str, str] = {}


def on_config(config):
    """Fill the parts of the navigation that are generated."""
    _made.update(pages())
    (reference,) = (part["Reference"] for part in config.nav if "Reference" in part)
    for entry in reference:
        for name in GENERATED.keys() & entry if isinstance(entry, dict) else ():
            entry[name] = _section(GENERATED[name])
    return config


def _section(folder: str) -> list[dict[str, str]]:
    paths = [path for path in _made if path.startswith(f"reference/{folder}/")]
    return [{_made[path].splitlines()[0].removeprefix("# "): path} for path in paths]


def on_files(files, config):
    """Add the generated pages; RESULTS.md takes the place of a template of the same name."""
    for path, text in _made.items():
        if old := files.get_file_from_path(path):
            files.remove(old)
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Give wide tables the page, and repair links.

    A link to a file outside docs/, or to a folder, becomes its text: on the site there is nothing behind it.
    """
    if page.file.src_uri in WIDE:
        page.meta["hide"] = ["navigation", "toc"]
    folder = posixpath.dirname(page.file.src_uri)

    def repaired(match: re.Match[str]) -> str:
        text, target = match[1], match[2].partition("#")[0]
        if re.match(r"[a-z]+:|#|$", match[2]):
            return match[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        if path == "../RESULTS.md":
            return f"[{text}]({posixpath.relpath('results.md', folder or '.')})"
        if path == "../README.md":
            return f"[{text}]({posixpath.relpath('index.md', folder or '.')})"
        folder_only = (Path(config.docs_dir) / path).is_dir()
        return text if path.startswith("../") or folder_only else match[0]

    return re.sub(r"(?<!!)\[([^\]\n]+)\]\(([^)\s]+)\)", repaired, markdown)
