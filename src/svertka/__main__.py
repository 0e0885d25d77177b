"""`python -m svertka` is `svertka`."""

from svertka.cli import run

if __name__ == "__main__":
    run()
