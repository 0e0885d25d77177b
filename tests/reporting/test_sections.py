"""The report says what the run folder holds, in one harmless file, and names what is missing or damaged."""

import html as html_module
import json
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from itertools import pairwise

import make_run
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import binomtest

from svertka.data import Manifest
from svertka.errors import RunError
from svertka.records import Interval
from svertka.reporting import format, pictures, write_report
from svertka.reporting.charts import charts, palette

HOSTILE = [
    "<script>alert(1)</script>",
    "quote\"s & 'apos'",
    "кошка 🐈 длинношёрстная",
    "x" * 300,
    "العربية",
    "a\nb",
    "{{ 7 * 7 }}",
    "\u202eevil",
    "bad\udcff",
    '"><img src=x onerror=alert(1)>',
]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return make_run.digits_run(tmp_path_factory.mktemp("runs") / "digits", test_share=0.25, epochs=6)


@pytest.fixture
def run(digits, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(digits, tmp_path / "run")


@pytest.fixture(scope="module")
def page(digits):
    return write_report(digits).read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Tags, attributes and text of a page; fails where tags do not nest."""

    VOID = frozenset({"meta", "link", "img", "br", "input", "line", "circle", "rect", "path"})

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def text_of(page):
    return re.sub(r"[ \n]+", " ", "".join(Reader(page).text))


# -- what it says ----------------------------------------------------------------------------------


def test_every_number_can_be_computed_again_from_the_run_folder(digits, page):
    """By formulas of this test and scipy's interval, not by those of the evaluation."""
    manifest = json.loads((digits / "manifest.json").read_text())
    with np.load(digits / "predictions.npz") as arrays:
        p, index = arrays["validation_probability"], arrays["validation_index"]
        p_test, index_test = arrays["test_probability"], arrays["test_index"]
    text, labels = text_of(page), np.array(manifest["labels"])
    for probability, at in ((p, index), (p_test, index_test)):
        truth, n = labels[at], len(at)
        right = int((probability.argmax(1) == truth).sum())
        bounds = binomtest(right, n).proportion_ci(method="wilson")
        assert f"{100 * right / n:.1f}\u202f%" in text
        assert f"{100 * bounds.low:.1f}\u2009–\u2009{100 * bounds.high:.1f}\u202f%" in text
        assert f"{-np.log(probability[np.arange(n), truth]).mean():.4f}" in text
        assert f"{100 * np.bincount(truth).max() / n:.1f}\u202f%" in text
    confusion = np.zeros((10, 10), int)
    for truth, guess in zip(labels[index], p.argmax(1), strict=True):
        confusion[truth, guess] += 1
    table = re.search(r'<table class="confusion.*?</table>', page, re.S)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.S)[1:]
    shown = [[int(cell or 0) for cell in re.findall(r"<td[^>]*>(\d*)</td>", row)] for row in rows]
    assert shown == confusion.tolist()
    for digit in range(10):
        k, n = int(confusion[digit, digit]), int(confusion[digit].sum())
        bounds = binomtest(k, n).proportion_ci(method="wilson")
        assert f"{100 * bounds.low:.0f}\u2009–\u2009" in text
    for part, letter in (("training", "t"), ("validation", "v"), ("test", "e")):
        assert f"{manifest['parts'].count(letter):,} for {part}" in text


def test_curves_show_the_log(digits, page):
    epochs = [json.loads(line) for line in (digits / "log.jsonl").read_text().splitlines()]
    epochs = [e for e in epochs if e["kind"] == "epoch"]
    best = max(epochs, key=lambda e: e["validation_accuracy"])
    text = text_of(page)
    assert f"best: epoch {best['epoch']}" in text
    for e in epochs:
        assert f"{e['validation_loss']:.4f}" in text
    # places in the drawing follow the values: later losses are lower, so their y is larger
    first = re.search(r'<svg class="curves".*?</figure>', page, re.S)[0]
    ys = [float(y) for y in re.findall(r'class="valid[^"]*" cx="[\d.]+" cy="([\d.]+)"', first)]
    losses = [e["validation_loss"] for e in epochs]
    np.testing.assert_array_equal(np.argsort(ys), np.argsort(losses)[::-1])
    fit = np.polyfit(losses, ys, 1)
    np.testing.assert_allclose(np.polyval(fit, losses), ys, atol=0.2)


def test_the_pictures_are_the_networks_mistakes_the_surest_first(digits, page):
    manifest = json.loads((digits / "manifest.json").read_text())
    with np.load(digits / "predictions.npz") as arrays:
        p, index = arrays["validation_probability"], arrays["validation_index"]
    wrong = p.argmax(1) != np.array(manifest["labels"])[index]
    order = sorted(np.flatnonzero(wrong), key=lambda i: -p[i].max())[:24]
    captions = re.findall(r'<code title="([^"]+)"', page.split('id="mistakes"')[1].split("</section>")[0])
    assert captions == [manifest["paths"][index[i]] for i in order]
    alts = [a["alt"] for a in Reader(page).all("img") if "taken for" in a["alt"]]
    assert alts[0] == f"A picture of {manifest['labels'][index[order[0]]]}, taken for {p[order[0]].argmax()}"


def test_it_tells_how_to_reproduce_it(digits, page):
    import hashlib

    text = text_of(page)
    assert "svertka train digits" in text
    for name in ("manifest.json", "recipe.json", "model/weights.safetensors"):
        assert hashlib.sha256((digits / name).read_bytes()).hexdigest() in text
    assert "8 × 8 pixels" in text
    assert "too small for a network with pooling" in text


def test_the_page_is_one_self_contained_file(page):
    read = Reader(page)
    assert not read.all("script")
    assert len(page) < 5_000_000
    assert not [a for _, a in read.tags if any(key.startswith("on") for key in a)]
    links = [a.get("src") or a.get("href") for _, a in read.tags if "src" in a or "href" in a]
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)
    assert "url(" not in page
    assert "@import" not in page
    targets = {a["id"] for _, a in read.tags if "id" in a}
    assert {link[1:] for link in links if link.startswith("#")} <= targets


def test_headings_are_in_order_and_pictures_have_words(page):
    read = Reader(page)
    levels = [int(tag[1]) for tag, _ in read.tags if tag in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert all(a["alt"] for a in read.all("img"))
    outer = [a for a in read.all("svg") if "x" not in a]
    assert all(a.get("aria-label") or a.get("aria-hidden") for a in outer)
    assert read.all("html") == [{"lang": "en"}]


# -- hostile and awkward runs ----------------------------------------------------------------------


def test_hostile_names_are_only_text(tmp_path):
    run = make_run.invented(
        tmp_path / "run",
        names=HOSTILE,
        files=400,
        scored=220,
        where='/data/"><script>alert(2)</script>',
        command="svertka train '\"><script>'",
        unreadable=[(7, "it is a web page, not a picture: <html onload=x>")],
        skipped=[("<b>p</b>/" + "y" * 400 + ".txt", "no picture <hr onclick=x>")],
        notes=["<i>note</i>"],
        net="conv<b>",
        reasons={"<u>": "<script>"},
    )
    page = write_report(run).read_text(encoding="utf-8")
    read = Reader(page)
    assert not read.all("script")
    assert not [a for _, a in read.tags if any(key.startswith("on") for key in a)]
    assert not {"b onmouseover", "i", "u"} & {tag for tag, a in read.tags if not a.get("class")}
    assert all(a["src"].startswith("data:") for a in read.all("img"))
    text = "".join(read.text)
    for name in ("<script>alert(1)</script>", "кошка 🐈 длинношёрстная", "{{ 7 * 7 }}", "<i>note</i>"):
        assert name in text
    assert "bad\\udcff" in text
    assert "49" not in re.findall(r"<bdi>(\d+)</bdi>", page)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=6, unique=True))
def test_any_class_name_survives_in_the_confusion_matrix(names):
    table = charts.confusion([[2] * len(names)] * len(names), names)
    heads = re.findall(r'<th scope="row" title="(.*?)"><bdi>', table, re.S)
    assert [html_module.unescape(h) for h in heads] == [html_module.unescape(html_module.escape(n)) for n in names]
    assert table.count("<td class=") == len(names) ** 2


def test_a_run_without_predictions_still_has_its_report(tmp_path):
    run = make_run.invented(tmp_path / "run", scored=0, pixels=None, example_index=None, epochs=[])
    text = text_of(write_report(run).read_text(encoding="utf-8"))
    assert "no predictions" in text
    assert "1,000 pictures of 10 classes" in text


def test_few_pictures_bring_a_caution_and_many_do_not(tmp_path):
    few = make_run.invented(tmp_path / "few", scored=40)
    many = make_run.invented(tmp_path / "many", files=5000, scored=3000)
    assert "40 pictures are few" in write_report(few).read_text(encoding="utf-8")
    assert "are few" not in write_report(many).read_text(encoding="utf-8")


def test_a_network_that_only_guesses_is_called_that(tmp_path):
    run = make_run.invented(tmp_path / "run", skill=0.0, scored=100)
    assert "do not show that the network does better" in write_report(run).read_text(encoding="utf-8")


def test_metrics_that_contradict_the_predictions_are_pointed_out(run):
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["test"]["accuracy"] = 0.999
    (run / "metrics.json").write_text(json.dumps(metrics))
    assert "metrics.json says 99.9" in write_report(run).read_text(encoding="utf-8")


def test_a_thousand_classes_stay_small(tmp_path):
    run = make_run.invented(tmp_path / "run", classes=1000, files=12_000, scored=5000, skill=6)
    path = write_report(run)
    assert path.stat().st_size < 5_000_000
    assert "The 1,000 classes stand in an order" in text_of(path.read_text(encoding="utf-8"))


def test_large_pictures_are_made_small(tmp_path):
    g = np.random.default_rng(0)
    pixels = g.integers(0, 256, (24, 384, 384, 3), dtype=np.uint8)
    run = make_run.invented(tmp_path / "run", skill=0.1, pixels=pixels, example_index=np.arange(24))
    assert write_report(run).stat().st_size < 5_000_000


def test_tiny_pictures_are_kept_exactly():
    import base64
    import io

    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    kind, data = pictures.data_uri(pixels).split(",")
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), pixels)


# -- missing and damaged pieces --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["recipe.json", "manifest.json", "log.jsonl", "metrics.json", "model/model.json"])
def test_a_missing_piece_is_named(run, name):
    (run / name).unlink()
    with pytest.raises(RunError, match=re.escape(name.split("/")[-1])):
        write_report(run)


@pytest.mark.parametrize("name", ["recipe.json", "manifest.json", "metrics.json", "model/model.json"])
@pytest.mark.parametrize("damage", ["", "{", "[1]", "\x00\x01"])
def test_damaged_json_is_named(run, name, damage):
    (run / name).write_text(damage)
    with pytest.raises(RunError, match=re.escape(name.split("/")[-1])):
        write_report(run)


@pytest.mark.parametrize("name", ["predictions.npz", "examples.npz"])
@pytest.mark.parametrize("keep", [0, 10, 0.5])
def test_damaged_arrays_are_named(run, name, keep):
    data = (run / name).read_bytes()
    (run / name).write_bytes(data[: int(len(data) * keep) if keep < 1 else keep])
    with pytest.raises(RunError, match=re.escape(name.split("/")[-1])):
        write_report(run)


@pytest.mark.parametrize(
    ("name", "arrays"),
    [
        (
            "predictions.npz",
            {"validation_index": np.array([99999]), "validation_probability": np.ones((1, 10)) / 10},
        ),
        (
            "predictions.npz",
            {"validation_index": np.array([0]), "validation_probability": np.ones((1, 9)) / 9},
        ),
        (
            "predictions.npz",
            {"validation_index": np.array([0.5]), "validation_probability": np.ones((1, 10)) / 10},
        ),
        (
            "predictions.npz",
            {"validation_index": np.array([0]), "validation_probability": np.full((1, 10), np.nan)},
        ),
        (
            "predictions.npz",
            {"validation_index": np.array([{}], dtype=object), "validation_probability": np.ones(1)},
        ),
        ("examples.npz", {"pixels": np.zeros((1, 8, 8, 1), np.uint8)}),
        ("examples.npz", {"pixels": np.zeros((1, 8, 8, 1), np.float32), "index": np.array([0])}),
        ("examples.npz", {"pixels": np.zeros((2, 8, 8, 1), np.uint8), "index": np.array([0])}),
        ("examples.npz", {"pixels": np.zeros((1, 8, 8, 1), np.uint8), "index": np.array([-1])}),
    ],
)
def test_arrays_that_do_not_fit_are_named(run, name, arrays):
    np.savez(run / name, **arrays)
    with pytest.raises(RunError, match=re.escape(name.split("/")[-1])):
        write_report(run)


@pytest.mark.parametrize(
    "change",
    [{"labels": [0]}, {"classes": None}, {"labels": "x"}, {"parts": ["nonsense"]}, {"classes": ["one"]}],
)
def test_a_manifest_that_does_not_fit_is_named(run, change):
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | change))
    with pytest.raises(RunError, match=r"manifest\.json"):
        write_report(run)


def test_a_log_cut_short_is_read_and_one_damaged_inside_is_not(run):
    log = (run / "log.jsonl").read_text()
    (run / "log.jsonl").write_text(log + '{"kind": "epo')
    write_report(run)
    (run / "log.jsonl").write_text('{"kind": \n' + log)
    with pytest.raises(RunError, match="line 1"):
        write_report(run)


def test_no_such_run(tmp_path):
    with pytest.raises(RunError, match="no run folder"):
        write_report(tmp_path / "nothing")


# -- where it goes ---------------------------------------------------------------------------------


def test_out_may_be_a_file_or_a_folder_and_nothing_else_is_touched(run, tmp_path):
    before = {p.name: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    assert write_report(run, tmp_path / "mine.html") == tmp_path / "mine.html"
    (tmp_path / "folder").mkdir()
    assert write_report(run, tmp_path / "folder") == tmp_path / "folder" / "report.html"
    assert {p.name: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "mine.html", "run"]


def test_an_old_report_is_replaced_but_no_other_file_is(run, tmp_path):
    assert write_report(run) == write_report(run)
    mine = tmp_path / "thesis.html"
    mine.write_text("<p>years of work</p>")
    with pytest.raises(RunError, match=r"thesis\.html exists"):
        write_report(run, mine)
    assert mine.read_text() == "<p>years of work</p>"


def test_a_folder_that_is_not_there_is_said(run, tmp_path):
    with pytest.raises(RunError, match="cannot be written"):
        write_report(run, tmp_path / "no" / "where.html")


def test_the_same_run_gives_the_same_page(run):
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


# -- parts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["light", "dark"])
def test_contrast_is_wcag_aa(name):
    c = palette.scheme(name)
    for ink in ("ink", "muted", "accent", "miss"):
        for ground in ("paper", "shade", "caution"):
            assert palette.contrast(c[ink], c[ground]) >= 4.5, (ink, ground)
    for drawn in ("accent", "miss", "soft"):
        assert palette.contrast(c[drawn], c["paper"]) >= 3, drawn
    for letter in "hm":
        for level in range(1, palette.LEVELS + 1):
            assert palette.contrast(c[f"{letter}{level}"], c[f"{letter}{level}-ink"]) >= 4.5
        steps = [palette.contrast(c[f"{letter}{level}"], c["paper"]) for level in range(1, palette.LEVELS + 1)]
        assert steps == sorted(steps), "deeper must mean farther from the paper"


def test_contrast_is_the_published_ratio():
    assert palette.contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)  # WCAG's well-known gray
    assert palette.contrast("#ffffff", "#ffffff") == 1


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(3, 9))
def test_ticks_are_few_even_and_cover(low, width, most):
    high = low + width
    marks = charts.ticks(low, high, most)
    slack = 1e-6 * (abs(low) + width)
    assert marks[0] <= low + slack
    assert marks[-1] >= high - slack
    assert 2 <= len(marks) <= most + 1
    np.testing.assert_allclose(np.diff(marks), marks[1] - marks[0], rtol=1e-4, atol=slack)


def test_percentages_never_round_to_certainty():
    assert format.percent(0.9999, 300) == "99.9\u202f%"
    assert format.percent(0.0001, 300) == "0.1\u202f%"
    assert format.percent(1.0, 300) == "100\u202f%"
    assert format.percent(0.0, 300) == "0\u202f%"
    assert format.percent(0.99234, 10_000) == "99.23\u202f%"
    assert format.percent(None) == "–"


def test_the_caution_says_what_a_simulation_says():
    """Of two equal networks on 60 pictures each, fewer than 5 % differ by more than the page's limit."""
    text = format.caution(Interval(0.8, 0.682, 0.882, 60))
    limit = int(re.search(r"more than about (\d+) points", text)[1]) / 100
    one, other = np.random.default_rng(0).binomial(60, 0.8, (2, 20_000)) / 60
    assert 0.01 < (abs(one - other) > limit).mean() < 0.06


def test_labels_of_close_lines_do_not_touch():
    lines = [charts.Line(name, "train", [(1, 0.5), (2, 0.5001 + i * 1e-5)]) for i, name in enumerate("abc")]
    drawn = charts.curves(lines, title="t")
    ys = sorted(float(y) for y in re.findall(r'class="name[^"]*" x="[\d.]+" y="([\d.]+)"', drawn))
    assert all(b - a >= charts.LABEL_GAP - 0.11 for a, b in pairwise(ys))
    assert ys[-1] <= charts.HEIGHT


def test_a_steep_beginning_does_not_flatten_the_rest():
    line = charts.Line("a", "valid", [(n, 0.1 if n == 1 else 0.99 + 0.0005 * (n % 3)) for n in range(1, 21)])
    drawn = charts.curves([line], title="t", as_percent=True, ceiling=1.0, least=0.05, best=2)
    marks = [float(m) for m in re.findall(r'class="end" x="[\d.]+" y="[\d.]+">([\d.]+)<', drawn)]
    assert 90 <= min(marks) <= 95
    assert max(marks) == 100
    assert drawn.count("<circle") == 19  # the first epoch is outside
    few = charts.curves([charts.Line("a", "valid", line.points[:5])], title="t")
    assert few.count("<circle") == 5


def test_curves_survive_gaps_one_epoch_and_nothing():
    assert charts.curves([charts.Line("a", "train", [(1, None)])], title="t") == ""
    assert "<circle" in charts.curves([charts.Line("a", "train", [(1, 0.5)])], title="t", best=1)
    gap = charts.Line("a", "valid", [(1, None), (2, float("nan")), (3, 0.5), (4, 0.4)])
    assert "nan" not in charts.curves([gap], title="t")


# -- speed and weight ------------------------------------------------------------------------------


def test_a_large_run_is_reported_quickly(tmp_path):
    run = make_run.invented(tmp_path / "run", files=70_000, scored=6000, test=10_000, skill=7)
    write_report(run)
    begin = time.process_time()
    write_report(run)
    assert time.process_time() - begin < 0.5


def test_reporting_imports_neither_torch_nor_matplotlib():
    code = (
        "import sys, svertka.reporting, svertka.evaluation;"
        "print([m for m in ('torch', 'matplotlib', 'sklearn', 'scipy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_card_counts_what_was_learned_from(run):
    """All classes have as many pictures, but of one of them most judge."""
    files = Manifest.load(run / "manifest.json")
    own = np.array([i for i in files.indices("train") if files.labels[i] == 0])
    files.parts[own[len(own) // 5 :]] = 3
    files.save(run / "manifest.json")
    counts = np.bincount(files.labels[files.indices("train")])
    text = " ".join(Reader(write_report(run).read_text(encoding="utf-8")).text)
    said = re.search(r"Frequent classes were learned from (\S+) times as many pictures as rare ones", text)
    assert said is not None
    assert float(said[1]) == pytest.approx(counts.max() / counts.min(), abs=0.05)
