"""The command line: one function per verb; each parses, calls the verb of the same name, and prints.

Standard output carries results (with --json exactly one object), standard error everything else. Exit status: 0 done,
1 the work failed or the data are bad, 2 wrong usage, 130 interrupted. Heavy imports stand inside the functions.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading

from svertka.cli.app import main
from svertka.common import startup

__all__ = ["main", "run"]


def run() -> None:
    """What the `svertka` command is: `main`, and then an end without taking torch apart, which costs up to a second.

    Whatever must happen at an end still does: other threads are waited for, exit functions called, output written out.
    """
    startup.own_process()
    status: int | str | None = 0
    try:
        main()
    except SystemExit as end:
        status = end.code
    threading._shutdown()  # type: ignore[attr-defined]  # tells pools of threads to end, and waits for all that are no daemons
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # whoever read it has gone
            stream.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))
