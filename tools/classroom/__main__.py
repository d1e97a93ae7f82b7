"""Pack the course for machines without network: python -m tools.classroom DIR

Makes DIR and DIR.zip with the packages as wheels, the prepared data sets, the notebooks and install.py. The wheels fit
machines with the same system and the same Python as this one.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dlcourse.config import choices, compose
from dlcourse.config.paths import quote_path
from dlcourse.errors import UserError
from tools.classroom.install import CONTENTS, new_environment, this_machine

ROOT = Path(__file__).parents[2]
INSTALLER = Path(__file__).with_name("install.py")
PACKAGES = ("jupyterlab",)  # installed beside the course, for its notebooks


def make(
    folder: Path,
    prepare: Sequence[str],
    packages: Sequence[str] = PACKAGES,
    project: str = f"{ROOT}[features]",
    pip: Sequence[str] = (),
) -> Path:
    """Make a bundle and its zip file; a failure leaves neither.

    Args:
        folder: the new folder.
        prepare: words of a training command that choose a data set, such as `experiment=quick/vae` or `data=cifar10`.
        packages: installed beside the course.
        project: of which wheels are made, as pip takes it.
        pip: more options of `pip wheel`.

    Returns:
        The zip file.

    Raises:
        UserError: the folder exists, a data set cannot be prepared, or pip fails.
    """
    archive = folder.with_name(f"{folder.name}.zip")
    for path in (folder, archive):
        if path.exists():
            raise UserError(f"{path} exists: remove it, or name another folder")
    with tempfile.TemporaryDirectory(dir=folder.absolute().parent, prefix=f"{folder.name}.") as temporary:
        bundle = Path(temporary) / folder.name
        for words in prepare:
            prepare_data(words, bundle / "data")
        _wheels([project, *packages], bundle / "wheels", pip, Path(temporary) / "venv")
        (bundle / "notebooks").mkdir(parents=True)
        for notebook in (ROOT / "docs/notebooks").glob("*.ipynb"):
            shutil.copy(notebook, bundle / "notebooks")
        shutil.copy(INSTALLER, bundle)
        extras = project.partition("[")[2]
        install = [f"dlcourse[{extras}" if extras else "dlcourse", *packages]
        (bundle / CONTENTS).write_text(json.dumps({"machine": this_machine(), "install": install}, indent=2), "utf8")
        packed = shutil.make_archive(str(bundle), "zip", temporary, folder.name)
        shutil.move(packed, archive)
        shutil.move(bundle, folder)
    return archive


def prepare_data(words: str, folder: Path) -> None:
    """Download or render the data set that a command uses into `folder`."""
    from dlcourse.models.build import build_data

    build_data(compose(*shlex.split(words), f"data_dir={quote_path(str(folder))}")).prepare_data()


def _wheels(wanted: Sequence[str], folder: Path, options: Sequence[str], environment: Path) -> None:
    """Build or download the wheels of some packages and of all that they need."""
    python = new_environment(environment)
    quiet = ["--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run(
            [python, "-m", "pip", "wheel", *quiet, "--wheel-dir", str(folder), *options, *wanted], check=True
        )
    except subprocess.CalledProcessError:
        raise UserError(f"pip could not collect {' '.join(wanted)}: see its message above") from None


def main(arguments: Sequence[str]) -> None:
    """Make the bundle that a command line describes."""
    quick = [f"experiment={name}" for name in choices("experiment") if name.startswith("quick/")]
    parser = argparse.ArgumentParser(prog="python -m tools.classroom", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="the new folder; a zip file is written beside it")
    parser.add_argument("--prepare", action="append", metavar="WORDS", default=[],
                        help="also the data of such a command, such as data=cifar10; several times")  # fmt: skip
    parser.add_argument("--package", action="append", metavar="NAME", default=[], help="also this package")
    parser.add_argument("--pip", nargs=argparse.REMAINDER, default=[], help="options of pip wheel, last on the line")
    given = parser.parse_args(arguments)
    try:
        archive = make(given.folder, [*quick, *given.prepare], [*PACKAGES, *given.package], pip=given.pip)
    except UserError as error:
        sys.exit(str(error))
    size = archive.stat().st_size / 2**20
    print(f"{archive} ({size:,.0f} MiB) is for {this_machine()}. On each machine: unpack it, then python install.py")


if __name__ == "__main__":
    main(sys.argv[1:])
