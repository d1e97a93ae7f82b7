"""All commands as one program: `dlcourse train ...` or `python -m dlcourse train ...`."""

import re
import runpy
import sys
from importlib.metadata import version

from dlcourse.cli.streams import guard_streams
from dlcourse.config import CONF, nearest


def commands() -> dict[str, str]:
    """The commands with a line about each, from the headers of their configs."""
    headers = [path.read_text("utf8").partition("\n")[0] for path in sorted(CONF.glob("*.yaml"))]
    found = [re.match(r"# python -m dlcourse\.(\w+): (.*)", line) for line in headers]
    return {line[1]: line[2] for line in found if line}


def main() -> None:
    """Run the command that the first word names, exactly as `python -m dlcourse.COMMAND` does."""
    guard_streams()
    known = commands()
    word = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if word in ("--help", "-h", "help"):
        width = max(map(len, known))
        lines = [f"  {name.ljust(width)}  {about}" for name, about in known.items()]
        print("dlcourse COMMAND key=value ...", "", *lines, "", "dlcourse COMMAND --help lists its choices", sep="\n")
        return
    if word in ("--version", "-V"):
        print(f"dlcourse {version('dlcourse')}")
        return
    if "=" in word or word.startswith("-"):
        sys.exit(f"error: the command is missing before {word}: choose from {', '.join(known)}")
    if word not in known:
        sys.exit(f"error: unknown command {word}{nearest(word, known)}")
    del sys.argv[1]
    runpy.run_module(f"dlcourse.{word}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
