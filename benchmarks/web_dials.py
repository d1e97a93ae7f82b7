"""Layers of clocks that are components of web pages: `python -m benchmarks.web_dials NODE_MODULES FOLDER`.

NODE_MODULES has react-clock, analog-clock-react, @hoseinh/react-analog-clock, react, react-dom and esbuild
(`npm install` of these in an empty folder). Each design is shown at 12:00 by headless Chromium, once for each layer
with all other parts hidden, and written as the PNG layers that `dials --art FOLDER` reads. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.dial_art import SIDE
from benchmarks.table import leave_with
from dlcourse.errors import UserError

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Design:
    """A component at 12:00.

    Args:
        package: that exports it.
        element: JSX.
        parts: CSS selectors of the layers but the face; all else is the face.
        style: further CSS, as a user of the component adds it.
    """

    package: str
    element: str
    parts: dict[str, str]
    style: str = ""


_REACT_CLOCK = {
    "clock-hour-hand": ".react-clock__hour-hand",
    "clock-minute-hand": ".react-clock__minute-hand",
    "clock-second-hand": ".react-clock__second-hand",
}
_HOSEINH = {
    "clock-second-hand": ".analog-clock-hand:nth-of-type(2)",
    "clock-minute-hand": ".analog-clock-hand:nth-of-type(3)",
    "clock-hour-hand": ".analog-clock-hand:nth-of-type(4)",
    "clock-glass": ".analog-clock-hand_base",
}
_ANALOG_CLOCK = "#stage > div > div > div > div:nth-child"
DESIGNS = {
    "react-clock": Design(
        "react-clock",
        '<ReactClock value="12:00:00" size={150} />',
        _REACT_CLOCK,
        ".react-clock__face { background: white } #stage { zoom: 4.7 }",
    ),
    "react-clock-numbers": Design(
        "react-clock",
        '<ReactClock value="12:00:00" size={280} renderNumbers hourHandWidth={6} minuteHandWidth={4} />',
        _REACT_CLOCK,
        ".react-clock__face { background: white } #stage { zoom: 2.5; font-family: sans-serif }",
    ),
    "hoseinh": Design(
        "@hoseinh/react-analog-clock",
        '<Hoseinh staticDate={new Date(2024, 0, 1)} size="200px" />',
        _HOSEINH,
        "#stage { zoom: 3.5 }",
    ),
    "hoseinh-roman": Design(
        "@hoseinh/react-analog-clock",
        '<Hoseinh staticDate={new Date(2024, 0, 1)} size="200px" numbersType="roman" backgroundColor="#f4e7c3" />',
        _HOSEINH,
        "#stage { zoom: 3.5 }",
    ),
    "analog-clock-react": Design(
        "analog-clock-react",
        '<AnalogClock useCustomTime hours={0} minutes={0} seconds={0} width="300px" border borderColor="#2e2e2e"'
        ' baseColor="#17a2b8" centerColor="#459cff" centerBorderColor="#ffffff"'
        ' handColors={{second: "#d81c7a", minute: "#ffffff", hour: "#ffffff"}} />',
        {
            "clock-second-hand": f"{_ANALOG_CLOCK}(2) > div",
            "clock-minute-hand": f"{_ANALOG_CLOCK}(3) > div",
            "clock-hour-hand": f"{_ANALOG_CLOCK}(4) > div",
            "clock-glass": f"{_ANALOG_CLOCK}(1)",
        },
        "#stage { zoom: 2.35 }",
    ),
}
ENTRY = """
import React from "react";
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import ReactClock from "react-clock";
import "react-clock/dist/Clock.css";
import AnalogClock from "analog-clock-react";
import { AnalogClock as Hoseinh } from "@hoseinh/react-analog-clock";
flushSync(() => createRoot(document.getElementById("stage")).render(ELEMENT));
"""
VISIBLE = "visibility: visible !important; transition: none !important"
PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="bundle.css"><style>
html, body { margin: 0; background: transparent; width: 100%; height: 100%; overflow: hidden }
#stage { position: absolute; left: 50%; top: 50%; transform: translate(-50%, -50%) }
STYLE</style><div id="stage"></div><script src="bundle.js"></script>"""


def write_layers(modules: Path, folder: Path) -> None:
    """Write a folder of PNG layers for each design.

    Raises:
        UserError: a package, esbuild or a browser is missing or fails.
    """
    esbuild = modules / ".bin" / "esbuild"
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    missing = [name for name in {design.package for design in DESIGNS.values()} if not (modules / name).is_dir()]
    if missing or not esbuild.exists():
        raise UserError(f"{modules} lacks {', '.join(sorted(missing)) or 'esbuild'}: install it with npm")
    if browser is None:
        raise UserError("no browser that draws the components: install chromium")
    for name, design in DESIGNS.items():
        with tempfile.TemporaryDirectory() as temporary:
            work = Path(temporary)
            (work / "node_modules").symlink_to(modules.resolve())
            (work / "entry.jsx").write_text(ENTRY.replace("ELEMENT", design.element))
            bundle = [str(esbuild), "entry.jsx", "--bundle", "--outfile=bundle.js", "--log-level=error"]
            _run([*bundle, "--loader:.svg=dataurl", "--loader:.png=dataurl"], work)
            (work / "bundle.css").touch()
            (folder / name).mkdir(parents=True, exist_ok=True)
            others = ", ".join(design.parts.values())
            layers = {"clock-face": f"{others} {{ visibility: hidden !important }}"}
            for layer, part in design.parts.items():
                # :where: the rule for all parts gives way to that for one
                layers[layer] = f":where(#stage *) {{ visibility: hidden !important }} {part}, {part} * {{ {VISIBLE} }}"
            for layer, style in layers.items():
                (work / "page.html").write_text(PAGE.replace("STYLE", f"{design.style} {style}"))
                _screenshot(browser, work / "page.html", folder / name / f"{layer}.png")


def _screenshot(browser: str, page: Path, picture: Path) -> None:
    flags = ["--headless", "--no-sandbox", "--hide-scrollbars", "--default-background-color=00000000"]
    size = [f"--window-size={SIDE},{SIDE}", "--virtual-time-budget=2000", f"--screenshot={picture.resolve()}"]
    _run([browser, *flags, *size, page.as_uri()], page.parent)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no message"]
        raise UserError(f"{Path(command[0]).name} failed: {said[0]}; check the packages that npm installed")


def main(words: list[str]) -> int:
    """Read the folders from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", type=Path, help="node_modules with the packages")
    parser.add_argument("folder", type=Path, help="where the layers go")
    given = parser.parse_args(words)
    write_layers(given.modules, given.folder)
    print(f"{len(DESIGNS)} designs written to {given.folder}")
    return 0


if __name__ == "__main__":
    leave_with(main)
