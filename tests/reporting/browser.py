"""A page in headless Chromium that is used as a person would: keys are pressed, and it may be a phone."""

import fcntl
import json
import os
import select
import shutil
import subprocess
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser", "chrome"))), None)
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]


class Phone:
    """Chromium on a screen of 360 by 640, steered through its DevTools protocol over a pipe.

    Args:
        page: the file that is opened.
        profile: folder for what the browser keeps.
    """

    def __init__(self, page: Path, profile: Path):
        # Chromium reads commands from descriptor 3 and answers on 4; ours may not have those numbers themselves.
        reads, self.commands = os.pipe()
        self.answers, writes = os.pipe()
        reads, writes = (_above(fd) for fd in (reads, writes))

        def connect() -> None:
            os.dup2(reads, 3)
            os.dup2(writes, 4)

        call = [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
        said = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(call, pass_fds=(3, 4), preexec_fn=connect, **said)
        os.close(reads)
        os.close(writes)
        self.count, self.buffer, self.session, self.errors = 0, b"", None, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Runtime.enable")
        self.ask("Page.enable")
        self.ask("Emulation.setDeviceMetricsOverride", width=360, height=640, deviceScaleFactor=2, mobile=True)
        self.ask("Page.navigate", url=page.absolute().as_uri())
        self.wait_for("Page.loadEventFired")

    def __enter__(self) -> "Phone":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.commands)
        os.close(self.answers)

    def press(self, *keys: str) -> None:
        """Press keys one after the other: characters, or `Enter`."""
        for key in keys:
            text = "\r" if key == "Enter" else key
            self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=ord(text))
            self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=ord(text))

    def value(self, expression: str) -> Any:
        """What JavaScript makes of an expression."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """A command's answer."""
        self.count += 1
        command = {"id": self.count, "method": method, "params": params}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.commands, json.dumps(command).encode() + b"\0")
        while (found := self._next()).get("id") != self.count:
            pass
        assert "error" not in found, found
        return found["result"]

    def wait_for(self, event: str) -> None:
        """Until the page says so."""
        while self._next().get("method") != event:
            pass

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            assert select.select([self.answers], [], [], 60)[0], "the browser says nothing"
            more = os.read(self.answers, 65536)
            assert more, "the browser has ended"
            self.buffer += more
        message, _, self.buffer = self.buffer.partition(b"\0")
        found = json.loads(message)
        complaint = found.get("params", {})
        if found.get("method") == "Runtime.exceptionThrown" or complaint.get("type") == "error":
            self.errors.append(complaint)
        return found


def _above(descriptor: int) -> int:
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10)
    os.close(descriptor)
    return moved
