"""The project's own promises: its commands, its versions, its pages."""

import re
from pathlib import Path

import svertka

ROOT = Path(__file__).parents[2]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_readme_and_ci_run_the_same_test_command():
    command = next(line for line in read(".ci/run").splitlines() if line.startswith("python3 -m venv"))
    assert command in read("README.md").splitlines()


def test_the_newest_entry_of_the_changelog_is_this_version():
    newest = re.search(r"^## \[?([0-9.]+)", read("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == svertka.__version__


def test_constraints_hold_what_the_project_asks_for():
    assert re.search(r"^torch==2\.13\.0$", read("constraints.txt"), re.MULTILINE)
    assert '"torch>=2.9"' in read("pyproject.toml")


def test_links_between_pages_lead_somewhere():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_every_public_name_can_be_fetched():
    for name in svertka.__all__:
        assert getattr(svertka, name) is not None


def test_every_verb_and_option_of_the_readme_exists():
    from typer.main import get_command

    from svertka.cli.app import app

    verbs = get_command(app).commands
    for verb, rest in re.findall(r"^(?:\.venv/bin/)?svertka (\w+)(.*)$", read("README.md"), re.MULTILINE):
        assert verb in verbs, verb
        options = {o for p in verbs[verb].params for o in p.opts}
        for option in re.findall(r"(--[a-z-]+)", rest.split("#")[0]):
            assert option in options, f"svertka {verb} {option}"
