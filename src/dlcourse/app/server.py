"""Serves the page of the playground on one address of this machine."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.plots.run_page import open_address

ALL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # all addresses of the machine, and the one to open on it


def bound(host: str, port: object) -> socket.socket:
    """A socket that listens on an address; port 0 is any free one.

    Raises:
        UserError: the port is in use, not allowed or not a number, or the host is not an address of this machine.
    """
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port < 2**16:
        raise UserError(f"port={port} is not a port: use a number from 1024 to 65535, for example port=7860")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"port={port} is in use: choose another one, for example port={port % 60000 + 1}, or stop the "
            raise UserError(f"{reason}program that uses it") from None
        if error.errno == errno.EACCES:
            raise UserError(f"port={port} needs the rights of an administrator: use for example port=7860") from None
        raise UserError(
            f"host={host} is not an address of this machine ({error.strerror}): use 127.0.0.1, or 0.0.0.0 for all"
        ) from None


def address_of(listening: socket.socket) -> str:
    """The address to open in a browser of this machine."""
    host, port = listening.getsockname()[:2]
    host = ALL.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    folders: Sequence[Path], trust: str | Iterable[str] | None, host: str, port: object, opens: bool = False
) -> None:
    """Serve the page until Ctrl-C or a signal.

    Args:
        folders: to search for runs.
        trust: packages or full class names outside dlcourse that a stored run may build.
        host, port: see `bound`.
        opens: whether to open the page in the browser.

    Raises:
        UserError: see `bound`.
    """
    with bound(host, port) as listening:
        address = address_of(listening)
        print("The playground starts; the first imports take some seconds.", flush=True)
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["HF_HUB_OFFLINE"] = "1"
        import uvicorn

        from dlcourse.app.page import web_app

        place = listening.getsockname()[0]
        # Starlette cannot compare IPv6 addresses.
        hosts = ["*"] if place in ALL or ":" in place else ["localhost", "127.0.0.1", host, place]
        app = web_app(folders, trust, hosts)
        everyone = ", from other machines as well" if place in ALL else ""
        print(f"Open {address} in a browser{everyone}; Ctrl-C stops the playground.", flush=True)
        if opens:
            open_address(address)  # the socket listens already: the browser waits for the first answer
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
        print("The playground has stopped.", flush=True)
