"""Where it fails: suspected labels, slices and robustness, on planted faults whose place is known."""

import base64
import html
import io
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import fisher_exact

from svertka.analysis.error_analysis import failures
from svertka.data.path_array import Paths
from svertka.data.sources.groups import Groups
from svertka.evaluation.errors.error_report import failing
from svertka.evaluation.errors.label_errors import planted, suspects
from svertka.evaluation.errors.slices import fisher, slices
from svertka.kinds import kind as kind_by_name
from svertka.kinds.image.statistics import FACTS


def knowing(n, c, seed, skill=4.0):
    """True labels, and probabilities of a model that mostly knows them."""
    g = np.random.default_rng(seed)
    truth = g.integers(0, c, n)
    logits = g.normal(size=(n, c)) + skill * np.eye(c)[truth]
    p = np.exp(logits - logits.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True), truth


def flipped(truth, c, share, seed):
    g = np.random.default_rng(seed)
    wrong = g.choice(len(truth), round(share * len(truth)), replace=False)
    labels = truth.copy()
    labels[wrong] = (truth[wrong] + g.integers(1, c, len(wrong))) % c
    return labels, wrong


# -- labels ----------------------------------------------------------------------------------------


def test_flipped_labels_are_among_the_first_suspects():
    p, truth = knowing(4000, 10, 0, skill=5.0)
    labels, wrong = flipped(truth, 10, 0.05, 1)
    found = suspects(p, labels)
    first = found.order[:400]
    assert np.isin(wrong, first).mean() >= 0.9
    assert np.isin(found.order[: found.count], wrong).mean() > 0.6
    assert (found.claimed[wrong] == truth[wrong]).mean() > 0.9
    assert sorted(found.order.tolist()) == list(range(4000))


@settings(deadline=None, max_examples=40)
@given(st.integers(5, 60), st.integers(2, 5), st.integers(0, 10_000))
def test_suspects_are_northcutts_off_diagonals_in_loops(n, c, seed):
    p, truth = knowing(n, c, seed, skill=1.0)
    labels, _ = flipped(truth, c, 0.2, seed)
    bar = [np.mean([p[i][k] for i in range(n) if labels[i] == k]) if (labels == k).any() else np.inf for k in range(c)]
    suspect = {}
    for i in range(n):
        claims = [k for k in range(c) if p[i][k] >= bar[k]]
        if claims:
            best = max(claims, key=lambda k: p[i][k])
            if best != labels[i]:
                suspect[i] = best
    found = suspects(p, labels)
    assert set(found.order[: found.count].tolist()) == set(suspect)
    assert all(found.claimed[i] == k for i, k in suspect.items())


def test_planted_labels_measure_how_far_suspicion_can_be_trusted():
    good, bad = (planted(*knowing(1000, 5, 2, skill=s)) for s in (6.0, 0.3))
    assert good.found > 0.8
    assert good.precise > 0.8
    assert bad.precise < 0.2
    assert planted(*knowing(20, 5, 2)) is None
    assert planted(np.full((100, 3), 1 / 3), np.zeros(100, int)) is None  # one class only


# -- slices ----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 60), st.integers(1, 60))
def test_fisher_is_scipys(k, n, other_k, other_n):
    k, other_k = min(k, n), min(other_k, other_n)
    theirs = fisher_exact([[k, n - k], [other_k, other_n - other_k]]).pvalue
    assert fisher(k, n, other_k, other_n) == pytest.approx(theirs, rel=1e-6, abs=1e-12)


def test_a_planted_weakness_is_found_and_nothing_else():
    g = np.random.default_rng(0)
    n = 2000
    dark, other = g.random(n) * 255, g.random(n)
    labels = g.integers(0, 3, n)
    right = g.random(n) < np.where(dark < 50, 0.6, 0.95)
    folder = np.array(["a", "b"])[g.integers(0, 2, n)]
    found = slices(right, labels, "xyz", {"brightness": dark, "size": other, "folder": folder, "same": np.ones(n)})
    assert found[0].fact == "brightness"
    assert found[0].proven
    assert found[0].accuracy.value < 0.7 < 0.9 < found[0].rest
    assert {s.fact for s in found if s.proven} == {"brightness"}
    assert "fewer cases" in found[0].sentence()
    assert not any(s.fact == "same" for s in found)


def test_where_nothing_is_planted_hardly_anything_is_proven():
    """Ten facts and hundreds of slices a time: without correction some would be found nearly every time."""
    alarms = 0
    for seed in range(40):
        g = np.random.default_rng(seed)
        facts = {f"fact {k}": g.random(400) for k in range(10)}
        found = slices(g.random(400) < 0.85, g.integers(0, 3, 400), "xyz", facts)
        alarms += any(s.proven for s in found)
    assert alarms <= 5  # 5 % of 40 is 2


@pytest.mark.parametrize("turn", [1, -1])
def test_a_number_that_most_pictures_share_hides_no_others(turn):
    """A fifth were saved as JPEG and are answered worse; the quality of all others is 0."""
    g = np.random.default_rng(3)
    quality = turn * np.where(np.arange(600) % 5 == 0, g.integers(50, 95, 600), 0)
    right = g.random(600) < np.where(quality == 0, 0.97, 0.6)
    found = slices(right, g.integers(0, 3, 600), "xyz", {"JPEG quality": quality})
    proven = [s for s in found if s.proven and s.of is None]
    assert {s.value for s in proven} >= {"0"}
    assert sum(s.accuracy.n for s in proven if s.accuracy.value < 0.8) == 120


class Measured:
    """Statistics and sizes of samples, as a store gives those of some."""

    def __init__(self, facts, sizes):
        self.facts, self.sizes = facts, sizes

    def __getitem__(self, name):
        return self.facts[name]

    def of(self, index):
        return Measured(self.facts[index], self.sizes[index])


def test_groups_are_those_that_the_table_gives():
    """A column is no pattern on the path: whom a picture belongs to stands nowhere in its name."""
    n = 60
    patients = Groups("patient", Paths.of(["p1", "p2", "p3"]), np.arange(n, dtype=np.int32) % 3)
    labels = np.arange(n) // 30
    shares = np.where(np.eye(2, dtype=bool)[labels ^ (patients.number == 1)], 0.9, 0.1)
    columns = Measured(np.zeros(n, FACTS), np.ones((n, 2), int))
    store = SimpleNamespace(kind=kind_by_name("image"), columns_of=columns.of, digests=np.eye(n, 16, dtype=np.uint8))
    index = np.arange(n)
    paths = Paths.of(f"{i:03}.png" for i in range(n))
    found = failures(shares, index, labels, ["a", "b"], paths, store, groups=patients)
    told = {s["value"]: s for s in found["slices"]["shown"] if s["fact"] == "group" and s["class"] is None}
    assert told["'p2'"]["accuracy"] == 0
    assert told["'p2'"]["proven"]
    few = failures(shares[30:], index[30:], labels, ["a", "b"], paths, store, groups=patients)
    assert few["n"] == 30


def test_a_slice_that_belongs_to_one_class_is_told():
    g = np.random.default_rng(1)
    labels = g.integers(0, 3, 600)
    dark = np.where(labels == 1, g.uniform(0, 60, 600), g.uniform(50, 255, 600))
    found = [s for s in slices(g.random(600) < 0.97, labels, ("ant", "bee", "cat"), {"brightness": dark}) if s.owned]
    assert found
    assert {s.owner for s in found} == {"bee"}
    assert "may have learned this instead of the class" in found[0].sentence()


def test_failing_is_plain_data_and_names_pictures():
    p, truth = knowing(300, 4, 3, skill=2.0)
    labels, _ = flipped(truth, 4, 0.05, 4)
    told = failing(p, labels, "abcd", [f"{k}.png" for k in range(300)], {"size": np.arange(300.0)})
    json.dumps(told, allow_nan=False)
    assert told["suspects"]["shown"][0]["path"] == f"{told['suspects']['shown'][0]['place']}.png"
    assert told["surest"][0]["confidence"] >= told["surest"][1]["confidence"]
    gaps = [np.sort(p[r["place"]])[-1] - np.sort(p[r["place"]])[-2] for r in told["least_certain"]]
    assert gaps == sorted(gaps)
    one = failing(p[:1], labels[:1], "abcd", ["x.png"], {"size": np.ones(1)})  # one picture only
    assert one["n"] == 1


# -- the whole path --------------------------------------------------------------------------------


def pictures(folder, count, seed, marked=None, dark=None):
    """Gray noise with a bar, lying or standing; one class may carry a red square or be shot dark."""
    g = np.random.default_rng(seed)
    for name in ("lying", "standing"):
        (folder / name).mkdir(parents=True)
        for k in range(count):
            image = np.repeat(g.integers(90, 140, (20, 20, 1)), 3, 2)
            at = int(g.integers(5, 14))
            bar = (slice(at, at + 2), slice(4, 16)) if name == "lying" else (slice(4, 16), slice(at, at + 2))
            image[bar] = 220
            if name == marked:
                image[:6, :6] = (230, 20, 20)
            if name == dark:
                image = image // 3
            Image.fromarray(image.astype(np.uint8)).save(folder / name / f"{k}.png")
    return folder


@pytest.mark.parametrize(("planted", "fact"), [("marked", "border redness"), ("dark", "brightness")])
def test_a_planted_shortcut_shows_on_the_slices_of_the_run(sv, tmp_path, planted, fact):
    data = pictures(tmp_path / "data", 120, 0, **{planted: "standing"})
    status, _, err = sv("train", data, "--out", "run", "--net", "conv3-4 relu gap fc", "--epochs", "2")
    assert status == 0, err
    told = json.loads((tmp_path / "run" / "failing.json").read_text())
    assert told["part"] == "validation"
    owned = [s for s in told["slices"]["shown"] if s["owned"]]
    assert any(s["fact"] == fact for s in owned), [s["fact"] for s in owned]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "the network may have learned this instead" in page
    assert "Is it as right as it is sure?" in page


def test_the_page_shows_doubted_labels_and_the_least_certain_with_their_pictures(sv, tmp_path):
    data = pictures(tmp_path / "data", 60, 0)
    for k in range(4):  # lying bars that are called standing
        (data / "lying" / f"{k}.png").rename(data / "standing" / f"wrong-{k}.png")
    status, _, err = sv("train", data, "--out", "run", "--net", "conv5-8 relu pool2 flatten fc", "--epochs", "3")
    assert status == 0, err
    told = json.loads((tmp_path / "run" / "failing.json").read_text())
    with np.load(tmp_path / "run" / "predictions.npz") as found:
        index = found["validation_index"]
    with np.load(tmp_path / "run" / "examples.npz") as found:
        kept, pixels = found["index"].tolist(), found["pixels"]
    wanted = [*told["suspects"]["shown"][:12], *told["least_certain"][:12]]
    page = html.unescape((tmp_path / "run" / "report.html").read_text(encoding="utf-8"))
    section = page[page.index('id="failing"') : page.index('id="calibration"')]
    shown = re.findall(r'src="data:image/png;base64,([^"]+)".*?<code title="([^"]+)"', section, re.DOTALL)
    assert [path for _, path in shown] == [row["path"] for row in wanted]
    for (picture, _), row in zip(shown, wanted, strict=True):
        drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))
        np.testing.assert_array_equal(drawn, pixels[kept.index(index[row["place"]])])


def test_robustness_falls_with_strength_and_says_from_where(sv, tmp_path):
    data = pictures(tmp_path / "data", 150, 0)
    status, _, err = sv("train", data, "--out", "run", "--net", "conv5-8 relu pool2 flatten fc", "--epochs", "12")
    assert status == 0, err
    told = json.loads(sv("evaluate", "run", data, "--robust", "--json")[1])
    assert told["accuracy"] > 0.9
    kinds = told["robustness"]["kinds"]
    assert set(kinds) == {"rotation", "shift", "blur", "noise", "darker", "brighter", "JPEG"}
    assert told["robustness"]["accuracy"] == pytest.approx(told["accuracy"])
    turned = kinds["rotation"]
    assert turned["points"][-1]["accuracy"] < 0.75  # half way between lying and standing nobody can tell
    assert turned["falls"] is not None
    for kind in kinds.values():
        assert [p["low"] <= p["accuracy"] <= p["high"] for p in kind["points"]]
        first = next((p["strength"] for p in kind["points"] if p["high"] < told["robustness"]["low"]), None)
        assert kind["falls"] == first
    assert f"surely worse from {turned['falls']} degrees on" in turned["sentence"]


def test_a_slow_network_is_asked_about_as_many_pictures_as_time_allows():
    import torch

    from svertka.analysis.corruption_robustness import KINDS, robustness

    class Constant:
        def probabilities(self, pixels):
            return torch.tensor([[0.9, 0.1]]).expand(len(pixels), 2)

    labels = np.arange(380) % 4 // 3  # every fourth is of the other class
    told = robustness(Constant(), np.zeros((380, 8, 8, 1), np.uint8), np.arange(380), labels, seconds=0)
    assert (told["n"], told["kinds"], told["left_out"]) == (8, {}, list(KINDS))
    assert told["accuracy"] == pytest.approx(0.75, abs=0.25)
    assert robustness(Constant(), np.zeros((50, 8, 8, 1), np.uint8), np.arange(50), labels, seconds=60)["n"] == 50


def test_changes_are_what_they_say():
    import torch

    from svertka.analysis import corruption_robustness as r

    pixels = torch.zeros(2, 21, 21, 3, dtype=torch.uint8)
    pixels[:, 10, 15] = 200
    turned = r.rotated(pixels, 90)
    assert turned[0, 5, 10, 0] == 200  # counter-clockwise: from the right to the top
    assert turned[1, 15, 10, 0] == 200  # the next one the other way
    moved = r.shifted(pixels, 0.1)
    assert (moved[0, 12, 17, 0], moved[1, 8, 13, 0]) == (200, 200)
    gray = torch.full((3, 16, 16, 1), 100, dtype=torch.uint8)
    assert torch.equal(r.lighter(gray, 1.5), torch.full_like(gray, 150))
    assert torch.equal(r.lighter(gray, 3.0), torch.full_like(gray, 255))
    assert torch.equal(r.blurred(gray, 0.05), gray)
    assert abs(r.noisy(gray, 0.1).float().std() - 25.5) < 2
    assert torch.equal(r.noisy(gray, 0.1), r.noisy(gray, 0.1))
    assert (r.as_jpeg(gray, 30).int() - 100).abs().max() <= 2
    assert r.as_jpeg(pixels, 8).shape == pixels.shape


@pytest.mark.slow
def test_five_percent_flipped_labels_of_mnist_are_among_the_first_suspects(shared, sv, tmp_path):
    """6,000 pictures, labels of 5 % flipped, three folds through the pipeline: at least 80 % among the first 10 %."""
    import shutil
    import zipfile

    g = np.random.default_rng(0)
    with zipfile.ZipFile(shared / "data" / "mnist.zip") as archive:
        names = [n for n in archive.namelist() if n.startswith("train/") and n.endswith(".png")]
        chosen = sorted(g.choice(len(names), 6000, replace=False).tolist())
        archive.extractall(tmp_path / "all", [names[k] for k in chosen])
    flips = set()
    for k in g.choice(6000, 300, replace=False).tolist():
        name = names[chosen[k]]
        truth, file = name.split("/")[1:]
        wrong = str((int(truth) + int(g.integers(1, 10))) % 10)
        place = tmp_path / "all" / "train" / wrong / f"flipped-{truth}-{file}"
        shutil.move(tmp_path / "all" / name, place)
        flips.add(place.name)
    status, _, err = sv("train", tmp_path / "all" / "train", "--folds", "3", "--out", "run", "--epochs", "4")
    assert status == 0, err
    from svertka.data import Manifest

    with np.load(tmp_path / "run" / "predictions.npz") as found:
        index, shares = found["index"], found["probability"]
    files = Manifest.load(tmp_path / "run" / "1" / "manifest.json")
    ranked = suspects(shares, files.labels[index])
    first = {files.paths[int(index[k])].rsplit("/", 1)[-1] for k in ranked.order[: len(index) // 10].tolist()}
    assert len(first & flips) >= 0.8 * len(flips)
    told = json.loads((tmp_path / "run" / "failing.json").read_text())["suspects"]
    shown = [row["path"].rsplit("/", 1)[-1] in flips for row in told["shown"]]
    assert np.mean(shown) > 0.8
