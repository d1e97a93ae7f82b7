"""Standard streams that cannot make a command fail: closed ones, ASCII ones, and a terminal that disappears."""

import codecs
import io
import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

READER_GONE = (BrokenPipeError, ConnectionResetError)  # `| head` has ended, which does not need a message


def _in_ascii(error: UnicodeError) -> tuple[str | bytes, int]:
    """Characters that a stream cannot encode: `±` as `+-`, dashes as `-`, others as escapes such as `\\u2026`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = {"±": "+-", "–": "-", "−": "-", "…": "...", "×": "x"}
    found = error.object[error.start : error.end]
    text = "".join(plain.get(sign, sign.encode("ascii", "backslashreplace").decode()) for sign in found)
    return text, error.end


class _Lasting(io.FileIO):
    """A stream's file: after a failed write its output is discarded, for everything that writes to the descriptor."""

    def write(self, data: Any) -> int:
        """Write, or give up."""
        try:
            return super().write(data)
        except OSError as error:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            if self.fileno() == 1 and not isinstance(error, READER_GONE):
                with suppress(OSError):
                    os.write(2, f"output cannot be printed ({error.strerror}); the command continues\n".encode())
            return len(data)


def guard_streams() -> None:
    """Keep standard output and standard error usable until the command ends, whatever happens to them.

    A closed one becomes the null device, before a file of the command can take its descriptor. Streams that a test or a
    notebook has replaced are left alone.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(opened, True)
    os.close(opened)
    codecs.register_error("dlcourse", _in_ascii)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        guarded = isinstance(getattr(getattr(stream, "buffer", None), "raw", None), _Lasting)
        if guarded or stream is not getattr(sys, f"__{name}__"):
            continue
        with suppress(AttributeError, OSError):
            stream.flush()
        lasting = io.TextIOWrapper(
            io.BufferedWriter(_Lasting(number, "wb", closefd=False)),
            encoding=getattr(stream, "encoding", None) or "utf8",
            errors="dlcourse",
            line_buffering=getattr(stream, "line_buffering", True),
            write_through=getattr(stream, "write_through", False),
        )
        setattr(sys, name, lasting)
        setattr(sys, f"__{name}__", lasting)


@contextmanager
def outlive_terminal() -> Generator[None]:
    """Ignore the hang-up signal in the block: a run or a sweep continues when its window or connection is closed."""
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(hangup, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(hangup, before)
