"""The report of a real run: what it shows of the network is what the network does, within its time, in any format."""

import html
import json
import re
import shutil
import time

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest

import svertka
from svertka import explanation, summary
from svertka.analysis.training_report import report_training
from svertka.api.report import report
from svertka.errors import RunError, UsageError
from svertka.explanation.report_album import CHECKED, CURVE, album
from svertka.models import Model
from svertka.runs.layout import FORMAT
from svertka.runs.results import read_results
from svertka.runs.run_folder import Run

NET = "conv3-8 relu maxpool2 conv3-12 relu maxpool2 gap fc"
SIDE, SQUARE = 32, 9


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    """Noise pictures; those of one class carry a red square in a corner: (run folder, data folder)."""
    folder = tmp_path_factory.mktemp("squares")
    g = np.random.default_rng(0)
    for name in ("plain", "marked"):
        (folder / "data" / name).mkdir(parents=True)
        for number in range(80):
            pixels = g.integers(60, 200, (SIDE, SIDE + 8, 3), dtype=np.uint8)
            if name == "marked":
                pixels[:SQUARE, 4 : 4 + SQUARE] = (250, 20, 20)
            Image.fromarray(pixels).save(folder / "data" / name / f"{number}.png")
    settings = {
        "net": NET,
        "epochs": 6,
        "size": SIDE,
        "fit": "crop",
        "flip_horizontal": False,
        "shift": 0.0,
        "random_erasing": 0.0,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SVERTKA_CACHE", str(folder / "cache"))
        run = svertka.train(
            folder / "data", out=folder / "run", batch_size=16, optimizer="adam", learning_rate=0.01, **settings
        )
    return run.path, folder / "data"


@pytest.fixture
def run(squares, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(squares[0], tmp_path / "run")


def page_of(run, **options):
    return report(run, **options).read_text(encoding="utf-8")


# -- what it shows is so -----------------------------------------------------------------------------


def test_the_square_that_makes_the_class_rings_the_alarm_and_gets_the_heat(squares):
    run = read_results(squares[0])
    assert {(s.fact, s.label) for s in run.findings.shortcuts} >= {("border color", "marked")}
    assert "border color alone gives away" in page_of(squares[0])
    model = Model.load(squares[0])
    marked = np.flatnonzero(run.manifest.labels[run.examples.index] == run.manifest.classes.index("marked"))
    x = model.preprocess.normalize(run.examples.pixels[marked])
    target = run.manifest.classes.index("marked")
    around = np.zeros((SIDE, SIDE), bool)
    around[: SQUARE + 4, : SQUARE + 4] = True
    for method in ("grad-cam", "occlusion"):
        for heat in explanation.heats(model.net, x, method, target=target):
            values = np.asarray(Image.fromarray(heat.values).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
            assert values[around].sum() > 0.6 * values.sum(), method


def test_the_album_is_what_the_network_does(squares):
    report(squares[0])
    run, model = read_results(squares[0]), Model.load(squares[0])
    x = model.preprocess.normalize(run.examples.pixels)
    at = run.explanations["heat_place"]
    shares = model.probabilities(run.examples.pixels[at]).numpy()
    order = np.argsort(-shares, axis=1)
    np.testing.assert_array_equal(run.explanations["heat_target"], order[:, 0])
    np.testing.assert_array_equal(run.explanations["heat_rival"], order[:, 1])
    np.testing.assert_allclose(run.explanations["heat_share"], np.sort(shares, axis=1)[:, ::-1][:, :2], atol=1e-6)
    for name, target in (("own", order[:, 0]), ("against", order[:, 1])):
        heats = explanation.heats(model.net, x[at], target=torch.from_numpy(target))
        found = np.stack([h.values for h in heats])
        np.testing.assert_allclose(run.explanations[f"heat_{name}"] / 255, found, atol=0.01)
    np.testing.assert_array_equal(run.explanations["filters"], explanation.filters(model.net))
    for k, layer in enumerate(run.explanations["maps_layers"]):
        maps = explanation.feature_maps(model.net, x[run.explanations["maps_sample"]][None], str(layer))[0]
        *channels, of = run.explanations[f"maps_{k}_channels"].tolist()
        assert of == len(maps)
        own = maps[channels]
        own = (own - own.min((1, 2), keepdims=True)) / np.maximum(np.ptp(own, axis=(1, 2)), 1e-12)[:, None, None]
        np.testing.assert_allclose(run.explanations[f"maps_{k}"] / 255, own, atol=0.01)


def test_every_number_of_the_new_sections_can_be_computed_again(squares):
    page = re.sub(r"<[^>]*>", "|", page_of(squares[0]))
    run, model = read_results(squares[0]), Model.load(squares[0])
    table = summary.table(model.net, model.preprocess.shape)
    assert f"{table.totals.macs:,} multiply-adds" in page
    for layer in table.layers:
        assert " × ".join(map(str, layer.output)) in page
        assert f"|{layer.weights + layer.biases:,}|" in page
    pixels = run.examples.pixels[run.examples.of]
    scaled = model.preprocess.normalize(pixels[None])[0].numpy()
    middle = (SIDE - 4) // 2
    for row in range(4):
        for column in range(4):
            assert f"|{pixels[middle + row, middle + column, 0]}|" in page
            number = f"{scaled[0, middle + row, middle + column]:.2f}".replace("-", "−")
            assert f"|{number}|" in page
    assert f"{SIDE + 8} × {SIDE}" in page  # the picture as it was
    for part, scored in run.predictions.items():
        right = 100 * np.mean(scored.probability.argmax(1) == scored.labels)
        assert f"on {len(scored.labels)} {part} pictures: {right:.0f}" in page


def test_a_full_report_changes_pictures_and_stands_beside_simpler_answers(run, squares):
    """What it says of changed pictures and of baselines, again from the data, by formulas of this test."""
    page = html.unescape(re.sub(r"<[^>]*>", "|", page_of(run, full=True)))
    changed = json.loads((run / "robustness.json").read_text())
    simpler = json.loads((run / "baselines.json").read_text())
    found, model = read_results(run), Model.load(run)
    index, truth = found.predictions["validation"].index, found.predictions["validation"].labels
    n = len(index)
    assert (changed["n"], simpler["n"], changed["left_out"]) == (n, n, [])
    files = [Image.open(squares[1] / found.manifest.paths[i]) for i in index]
    pixels = np.stack([np.asarray(f)[:, 4:-4] for f in files])  # "crop" to 32 from 40 leaves 4 at each side
    assert changed["accuracy"] == (model.probabilities(pixels).numpy().argmax(1) == truth).mean()
    for point in changed["kinds"]["brighter"]["points"]:
        brighter = (pixels * np.float32(point["strength"])).round().clip(0, 255).astype(np.uint8)
        right = int((model.probabilities(brighter).numpy().argmax(1) == truth).sum())
        bounds = binomtest(right, n).proportion_ci(method="wilson")
        assert point["accuracy"] == right / n
        assert f"|{100 * point['strength']:g}|" in page
        assert f"|{100 * right / n:.0f}\u202f%|" in page
        assert f"|{100 * bounds.low:.0f}\u2009–\u2009{100 * bounds.high:.0f}\u202f%|" in page
    labels = found.manifest.labels[found.manifest.indices("train")]
    usual = (truth == np.bincount(labels).argmax()).mean()
    assert simpler["rows"][0]["accuracy"] == usual
    for row in [*simpler["rows"], simpler["model"]]:
        bounds = binomtest(round(row["accuracy"] * n), n).proportion_ci(method="wilson")
        assert (row["low"], row["high"]) == pytest.approx(tuple(bounds))
        assert f"|{100 * bounds.low:.0f}\u2009–\u2009{100 * bounds.high:.0f}\u202f%|" in page
    assert "most frequent class" in page
    told = page_of(run, lang="ru")  # kept, so the next report shows them without the data
    assert "самый частый класс" in told
    assert "Поворот" in told


def test_a_full_report_without_its_data_says_so(run):
    recipe = json.loads((run / "recipe.json").read_text())
    recipe["data"]["where"] = str(run / "gone")
    (run / "recipe.json").write_text(json.dumps(recipe))
    page = page_of(run, full=True)
    assert "cannot be opened again" in page
    assert "How far pictures may change" not in page
    assert not (run / "robustness.json").exists()


def test_what_was_measured_with_other_weights_is_not_shown(run):
    kept = {"weights": "0" * 64, "part": "validation", "n": 1, "rows": []}
    (run / "baselines.json").write_text(json.dumps(kept))
    assert "Beside something simpler" not in page_of(run)
    (run / "baselines.json").write_text("[")
    with pytest.raises(RunError, match=r"baselines\.json is damaged"):
        report(run)


def test_the_picture_as_it_was_is_the_file(squares):
    run = read_results(squares[0])
    file = run.manifest.paths[run.examples.index[run.examples.of]]
    with Image.open(squares[1] / file) as image:
        np.testing.assert_array_equal(run.examples.original, np.asarray(image))
        assert run.examples.size == image.size[::-1]


def test_a_full_report_tests_its_explanations(run):
    told = []
    page = page_of(run, full=True, progress=told.append)
    found = read_results(run)
    assert told[0].startswith("where it looked")
    assert "whether these explanations are true" in told
    assert "nothing was left out" in page
    assert "Are these explanations true?" in page
    assert "Score-CAM" in page
    model, places = Model.load(run), found.explanations["slow_place"][: int(found.explanations["check_pictures"])]
    x = model.preprocess.normalize(found.examples.pixels[places])
    heats = explanation.heats(model.net, x, "grad-cam")
    areas = [explanation.deletion(model.net, x[k : k + 1], h, steps=CURVE).area for k, h in enumerate(heats)]
    row = found.explanations["check_method"].tolist().index("grad-cam")
    assert found.explanations["check"][row, 0] == pytest.approx(np.mean(areas), abs=1e-6)
    assert len(page) < 5_000_000


# -- its time ----------------------------------------------------------------------------------------


def slowed(model, seconds):
    """The model, whose network takes at least so many seconds for each picture."""
    model.net.register_forward_pre_hook(lambda _, given: time.sleep(seconds * len(given[0])))
    return model


@pytest.mark.parametrize("seconds", [0.5, 1.5])
@pytest.mark.parametrize("full", [False, True])
def test_an_album_of_a_slow_network_keeps_to_its_time_and_names_what_it_lacks(squares, seconds, full):
    run, model = read_results(squares[0]), slowed(Model.load(squares[0]), 0.02)
    pixels = run.examples.pixels[[0, 1] * 4]
    begun = time.perf_counter()
    found = album(model, pixels, list(range(1, 8)), 0, seconds=seconds, full=full)
    took = time.perf_counter() - begun
    assert took < seconds + 4  # without a budget it takes half a minute; the machine may be busy
    assert found["took"] == pytest.approx(took, abs=1)
    names = set(found["left_out"].tolist())
    whole = {"slow": ("slow_place", 6), "dreams": ("imagined", 6), "checks": ("check_method", len(CHECKED))}
    assert names
    for name, (key, count) in whole.items():
        assert (len(found.get(key, ())) == count) == (full and name not in names), name
    assert (len(found["heat_place"]) == 8) == ("heat" not in names)


def test_an_album_with_time_lacks_nothing(squares):
    run, model = read_results(squares[0]), Model.load(squares[0])
    found = album(model, run.examples.pixels[[0, 1] * 4], list(range(1, 8)), 0, seconds=60.0, full=True)
    assert found["left_out"].tolist() == []
    assert found["check_method"].tolist() == list(CHECKED)
    assert (len(found["heat_place"]), len(found["slow_place"]), len(found["imagined"])) == (8, 6, 6)
    assert not model.net._forward_pre_hooks


def test_with_no_time_one_picture_is_explained_and_nothing_else(squares):
    run, model = read_results(squares[0]), Model.load(squares[0])
    places = list(range(len(run.examples.index)))
    found = album(model, run.examples.pixels, places[1:], places[0], seconds=0.0)
    assert found["heat_place"].tolist() == [0]
    assert "filters" not in found
    assert found["left_out"].tolist() == ["heat", "filters", "maps", "fields", "patches"]
    whole = album(model, run.examples.pixels, places[1:], places[0])
    assert whole["heat_place"].tolist() == places
    assert {"filters", "maps_layers", "field_box", "patch_box"} <= whole.keys()


def test_a_full_report_of_a_slow_network_ends_in_time_and_says_what_it_left_out(run, monkeypatch):
    load = Model.load
    monkeypatch.setattr(Model, "load", lambda path: slowed(load(path), 0.02))
    begun = time.perf_counter()
    page = page_of(run, full=True, minutes=0.07)
    assert (
        time.perf_counter() - begun < 60 * 0.07 + 10
    )  # without a budget it takes minutes; a busy machine writes slowly
    assert "which was not enough for:" in page
    assert "There was no time for:" in page
    with pytest.raises(UsageError, match="more than 0 minutes"):
        report(run, full=True, minutes=0)


def test_what_a_training_had_no_time_for_is_looked_up_by_the_next_report(run, squares):
    found, model = read_results(run), Model.load(run)
    mistakes = [k for k in range(len(found.examples.index)) if k != found.sample()]
    brief = album(model, found.examples.pixels, mistakes, found.sample(), seconds=0.0)
    np.savez(run / "explanations.npz", **brief)
    page = page_of(run)
    assert "not enough for" not in page
    assert len(read_results(run).explanations["left_out"]) == 0


def test_the_report_at_the_end_of_a_training_is_a_small_part_of_it(tmp_path, monkeypatch):
    """At most 20 % of the training or 30 s: here of one that took a tenth of a second, by a slow network."""
    spent = []

    def timed(*given):
        begun = time.perf_counter()
        slowed(given[1], 0.05)
        page = report_training(*given)
        spent.append(time.perf_counter() - begun)
        return page

    monkeypatch.setattr("svertka.pipeline.write_results.report_training", timed)
    done = svertka.train("digits", out=tmp_path / "run", net=NET, epochs=1)
    assert len(spent) == 1
    assert spent[0] < max(0.2 * done.summary["seconds"]["total"], 30)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "which was not enough for:" in page or "there was no time to look" in page


def test_what_was_seen_is_not_looked_at_again(run, monkeypatch):
    (run / "explanations.npz").unlink()
    report(run)
    assert (run / "explanations.npz").is_file()
    monkeypatch.setattr(Model, "load", lambda *_: pytest.fail("the network was opened again"))
    assert "Where it looked for" in page_of(run)


# -- older and damaged runs --------------------------------------------------------------------------


def test_a_run_of_the_first_format_is_read_and_its_small_pictures_are_shown(run):
    """Format 1 had no number, and kept pictures that were thinned out to half."""
    recipe = json.loads((run / "recipe.json").read_text())
    assert recipe.pop("format") == FORMAT
    (run / "recipe.json").write_text(json.dumps(recipe))
    with np.load(run / "examples.npz") as arrays:
        pixels, index = arrays["pixels"][:, ::2, ::2], arrays["index"]
    np.savez(run / "examples.npz", pixels=pixels, index=index)
    for name in ("explanations.npz", "network.json"):
        (run / name).unlink()
    page = page_of(run)
    assert "written by an earlier version" in page
    assert "Pictures as the network sees them" in page
    assert "Where it looked for" not in page
    assert "multiply-adds" in page


@pytest.mark.parametrize("number", [FORMAT + 1, "x", 0])
def test_a_run_of_a_newer_format_is_refused_in_one_sentence(run, number):
    recipe = json.loads((run / "recipe.json").read_text())
    (run / "recipe.json").write_text(json.dumps(recipe | {"format": number}))
    for opening in (report, Run.open):
        with pytest.raises(RunError, match=r"was written by a newer svertka .* update it\.$"):
            opening(run)


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_without_its_weights_a_run_still_has_its_page(run, damage):
    (run / "explanations.npz").unlink()
    weights = run / "model" / "weights.safetensors"
    weights.unlink() if damage == "missing" else weights.write_bytes(weights.read_bytes()[:-9])
    page = page_of(run)
    assert "The network cannot be opened" in page
    assert "What it takes for what" in page


@pytest.mark.parametrize("change", [{"heat_place": np.array([99])}, {"heat_own": np.zeros((0, 4, 4), np.uint8)}])
def test_an_album_that_does_not_fit_is_named(run, change):
    report(run)
    with np.load(run / "explanations.npz") as arrays:
        np.savez(run / "explanations.npz", **{**arrays, **change})
    with pytest.raises(RunError, match=r"explanations\.npz"):
        report(run)


def test_the_command_takes_a_language_and_lists_those_there_are(sv, run):
    status, out, _ = sv("report", run, "--lang", "ru", "--out", "ru.html", "--json")
    assert (status, json.loads(out)) == (0, {"report": "ru.html"})
    status, _, err = sv("report", run, "--lang", "tlh")
    assert status == 2
    assert "en, ru" in err


def test_a_run_that_goes_on_forgets_what_was_seen_in_other_examples(run):
    told = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    (run / "metrics.json").write_text(json.dumps({**told, "stopped": True}), encoding="utf-8")
    with np.load(run / "explanations.npz") as seen:
        arrays = dict(seen)
    np.savez(run / "explanations.npz", **{**arrays, "heat_place": arrays["heat_place"] + 99})
    with pytest.raises(RunError, match="points outside"):
        read_results(run)
    svertka.resume(run)
    assert read_results(run).explanations["heat_place"].max() < 99
