"""How long one waits for nothing: `import svertka`, `svertka --help`, whole processes; is torch imported?"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass

import common


@dataclass(frozen=True, slots=True)
class Case:
    """A process to time: the arguments of the Python interpreter, and the project's own limit in seconds."""

    name: str
    arguments: tuple[str, ...]
    promise: float | None = None

    def run(self, *options: str) -> tuple[float, str]:
        """Seconds of the whole process, and what it wrote to stderr."""
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *options, *self.arguments],
            env=common.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - start
        if done.returncode:
            raise common.BenchError(f"{self.name} failed:\n{common.tail(done.stderr)}")
        return seconds, done.stderr

    def imports(self, package: str) -> bool:
        """Whether the process imports a package, as Python's own log of imports says."""
        lines = self.run("-X", "importtime")[1].splitlines()
        return any(line.rsplit("|", 1)[-1].strip() == package for line in lines)


CASES = (
    Case("python -c pass", ("-c", "pass")),
    Case("import svertka", ("-c", "import svertka"), promise=0.2),
    Case("svertka --help", ("-m", "svertka", "--help"), promise=0.4),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=11, metavar="N", help="rounds; medians are shown")
    options = parser.parse_args()
    print(f"{common.machine()}\n{common.versions()}, {options.repeat} round(s)\n")

    torch = [case.imports("torch") for case in CASES]  # also makes sure that byte code exists
    rounds = [[case.run()[0] for case in CASES] for _ in range(options.repeat)]
    medians = [common.median(column) for column in zip(*rounds, strict=True)]
    rows = []
    for case, took, heavy in zip(CASES, medians, torch, strict=True):
        promise = "-" if case.promise is None else f"under {case.promise} s"
        rows.append([case.name, f"{took:.3f} s", promise, f"{took / medians[0]:.1f}x", "yes" if heavy else "no"])
    print(common.table(["process", "median", "promise", "to python -c pass", "imports torch"], rows))


if __name__ == "__main__":
    try:
        main()
    except common.BenchError as error:
        sys.exit(str(error))
