"""The command line: one function per verb; each parses, calls the verb of the same name, and prints.

Standard output carries results (with --json exactly one object), standard error everything else. Exit status: 0 done,
1 the work failed or the data are bad, 2 wrong usage, 130 interrupted. Heavy imports stand inside the functions.
"""

from __future__ import annotations

from svertka.cli.app import main

__all__ = ["main"]
