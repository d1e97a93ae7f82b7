"""Install the course from this folder, without network: python install.py [TARGET]

Creates TARGET (default: dlcourse in the current folder) with a virtual environment in .venv, the data sets in data/ and
the notebooks. This file is copied into every bundle and uses the standard library alone.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

CONTENTS = "bundle.json"
COPIED = ("data", "notebooks")


def this_machine() -> str:
    """What the packages of a bundle depend on: `CPython 3.11 on Linux x86_64`."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"{platform.python_implementation()} {version} on {platform.system()} {platform.machine()}"


def new_environment(folder: Path) -> Path:
    """Create a virtual environment with pip, and return its Python."""
    try:
        venv.create(folder, with_pip=True)
    except subprocess.CalledProcessError:
        sys.exit("Python could not create a virtual environment with pip: on Debian and Ubuntu install python3-venv")
    return python_of(folder)


def python_of(environment: Path) -> Path:
    """The Python of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(bundle: Path, target: Path) -> Path:
    """Install a bundle into a new folder, which is removed after a failure.

    Args:
        bundle: the folder that `python -m tools.classroom` made.
        target: the new folder.

    Returns:
        The Python of the new environment.
    """
    contents = json.loads((bundle / CONTENTS).read_text("utf8"))
    if contents["machine"] != this_machine():
        sys.exit(
            f"the bundle is for {contents['machine']}, but this is {this_machine()}: make a bundle on such a machine"
        )
    if target.exists():
        sys.exit(f"{target} exists: remove it, or name another folder: python install.py FOLDER")
    try:
        python = new_environment(target / ".venv")
        wheels = ["--no-index", "--find-links", str(bundle / "wheels")]
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([python, "-m", "pip", "install", *quiet, *wheels, *contents["install"]], check=True)
        for name in COPIED:
            if (bundle / name).is_dir():
                shutil.copytree(bundle / name, target / name)
    except BaseException as error:
        shutil.rmtree(target, ignore_errors=True)
        if isinstance(error, (OSError, subprocess.CalledProcessError)):
            sys.exit(f"{target} was not installed ({error}): see the message of pip above, or free some disk space")
        raise
    return python


def main(arguments: Sequence[str]) -> None:
    """Install, and print how to begin."""
    if len(arguments) > 1 or any(word.startswith("-") for word in arguments):
        sys.exit("usage: python install.py [TARGET]")
    target = Path(arguments[0] if arguments else "dlcourse").absolute()
    install(Path(__file__).absolute().parent, target)
    activate = r".venv\Scripts\activate" if os.name == "nt" else "source .venv/bin/activate"
    print(
        f"Installed to {target}. Begin with:\n\n  cd {target}\n  {activate}\n"
        "  python -m dlcourse.train experiment=quick/maps"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
