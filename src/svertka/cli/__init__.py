"""The command line: one function per verb; each parses, calls the verb of the same name, and prints.

Standard output carries results (with --json exactly one object, `{"error": sentence}` where there is none), standard
error everything else. Exit status: 0 done, 1 the work failed or the data are bad, 2 wrong usage, 130 interrupted, 143
ended by SIGTERM; a training that either stopped in order, its model usable, ends with 130. Heavy imports stand inside
the functions.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading

from svertka.cli import process
from svertka.common import startup
from svertka.errors import SvertkaError

__all__ = ["main", "run"]


def main() -> None:
    """The `svertka` command in this process; ends by SystemExit."""
    from svertka.cli.app import main

    main()


def run() -> None:
    """What the `svertka` command is: `main`, and then an end without taking torch apart, which costs up to a second.

    Whatever must happen at an end still does: other threads are waited for, exit functions called, output written out.
    """
    status: int | str | None = 0
    try:
        process.prepare()
        startup.own_process()
        main()
    except SystemExit as end:
        status = end.code
    except (KeyboardInterrupt, process.Terminated):  # while the command itself was imported
        print("Interrupted.", file=sys.stderr)
        status = process.INTERRUPTED
    with contextlib.suppress(KeyboardInterrupt, process.Terminated):  # who asks once more waits for nothing
        threading._shutdown()  # type: ignore[attr-defined]  # tells pools of threads to end, and waits for all that are no daemons
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, SvertkaError):  # it has failed before, and was told
            stream.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))
