"""docs/extending.md does what it says: its examples are put into a copy of the package, and used."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import make_run
import pytest

import svertka

PACKAGE = Path(svertka.__file__).parent
PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
STEP = re.compile(
    r"^(?:New file `(?P<new>[^`]+)`"
    r"|In `(?P<old>[^`]+)`, (?P<where>after|before|at the end)(?: `(?P<anchor>[^`]+)`)?):\n\n"
    r"```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def apply(step, package):
    if step["new"]:
        path = package / step["new"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step["text"], encoding="utf-8")
        return
    path = package / step["old"]
    text = path.read_text(encoding="utf-8")
    if step["where"] == "at the end":
        path.write_text(f"{text}\n\n{step['text']}", encoding="utf-8")
        return
    line = f"{step['anchor']}\n"
    assert text.count(line) == 1, f"{step['old']} has {text.count(line)} lines {step['anchor']!r}"
    pair = line + step["text"] if step["where"] == "after" else step["text"] + line
    path.write_text(text.replace(line, pair), encoding="utf-8")


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """The folder that holds a package with all that the page adds."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(PACKAGE, folder / "svertka", ignore=shutil.ignore_patterns("__pycache__"))
    steps = list(STEP.finditer(PAGE))
    assert len(steps) == PAGE.count("```") // 2, "a block of the page says not where it belongs"
    for step in steps:
        apply(step, folder / "svertka")
    return folder


def run(extended, program, *words):
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=extended, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(extended)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_how_many_files_each_takes():
    """The promise of the page's headings: an edit of a file that is there is one of that file."""
    sections = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}
    files = {title: {m["new"] or m["old"] for m in STEP.finditer(part)} for title, part in sections.items()}
    assert len(files["An augmentation: one file"]) == 1
    assert len(files["An optimizer: one row"]) == 1
    assert len(files["A network: two places"]) == 2
    folders = {Path(file).parent.name for file in files["A section of the report: a folder and a row"]}
    assert folders == {"counts", "reporting"}


def test_the_augmentation_is_a_setting_of_recipe_tune_and_command_line(extended):
    run(extended, """
import numpy as np, pytest, torch
import svertka as sv
from svertka.errors import RecipeError
from svertka.training.recipe import Recipe, parse_setting
Augment = sv.data.Augment
assert Augment.candidates()["negative"] == (0.5,)
assert Augment.settings()["negative"]["help"] == "turn this share of pictures into negatives"
with pytest.raises(RecipeError, match="negative must lie between 0 and 1"):
    Augment(negative=2.0)
assert parse_setting("negative=0.3") == ("negative", 0.3)
assert Recipe.from_dict({"negative": 0.3}).augment.negative == 0.3
pixels = torch.randint(0, 256, (400, 6, 5, 3), dtype=torch.uint8)
out = Augment(negative=0.5)(pixels, torch.arange(400), 0, 0)
same, other = (out == pixels).flatten(1).all(1), (out == 255 - pixels).flatten(1).all(1)
assert bool((same | other).all()) and 150 < int(other.sum()) < 250
half = Augment(negative=0.5)(pixels[200:], torch.arange(200, 400), 0, 0)
assert torch.equal(half, out[200:])
blurred = Augment(negative=1.0, blur=1.0)(pixels, torch.arange(400), 0, 0)
assert torch.equal(blurred, 255 - Augment(blur=1.0)(pixels, torch.arange(400), 0, 0))
""")  # fmt: skip


def test_the_optimizer_trains_and_has_defaults_and_a_forecast_of_memory(extended):
    out = run(extended, """
import json, sys, torch
from svertka.cli import main
words = "train digits --epochs 2 --set optimizer=adagrad --net tiny --out run --json --quiet"
sys.argv = ["svertka", *words.split()]
try:
    main()
except SystemExit as end:
    assert not end.code
recipe = json.load(open("run/recipe.json"))
assert (recipe["recipe"]["optimizer"], recipe["network"]["name"]) == ("adagrad", "tiny")
assert 0 < recipe["recipe"]["learning_rate"] <= 0.05
""")  # fmt: skip
    assert '"accuracy"' in out


def test_the_network_is_built_saved_and_opened(extended):
    run(extended, """
import torch
import svertka as sv
from svertka.models import outline, rebuild
net = sv.net("tiny", classes=4).eval()
twin = rebuild(outline(net)).eval()
twin.load_state_dict(net.state_dict())
x = torch.randn(2, 3, 32, 32)
assert torch.equal(twin(x), net(x))
assert outline(net)["parts"]["stages"]["parts"]["1"]["kind"] == "tiny.Twice"
assert sv.table("tiny").layers
""")  # fmt: skip


@pytest.mark.parametrize(
    ("language", "sentence"), [("en", r"This run saw [\d,]+ files\."), ("ru", r"Сеть видела \d+ файлов\.")]
)
def test_the_section_is_in_the_report(extended, tmp_path, language, sentence):
    make_run.invented(tmp_path / "run")
    page = run(extended, """
import sys
from pathlib import Path
from svertka.reporting.i18n.translate import speaking
from svertka.reporting.report import page_of
from svertka.runs.results import read_results
with speaking(sys.argv[2]):
    print(page_of(read_results(Path(sys.argv[1]))))
""", str(tmp_path / "run"), language)  # fmt: skip
    assert re.search(sentence, page)
    assert 'id="counts"' in page
