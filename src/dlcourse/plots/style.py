"""The look of all plots, and what happens when one cannot be drawn."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

log = logging.getLogger(__name__)


@contextmanager
def plotting(what: str = "plots") -> Generator[None]:
    """Draw in matplotlib's default style; an error in the block prints a warning instead of ending the command.

    A matplotlibrc or a notebook may have set anything, for example `text.usetex` without a LaTeX installation.

    Args:
        what: is drawn in the block; it is named in the warning.
    """
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        try:
            yield
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            log.warning("%s could not be drawn (%s); all other results are complete", what, reason)
            log.debug("drawing failed", exc_info=True)
