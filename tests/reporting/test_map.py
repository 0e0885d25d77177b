"""The map of the report: every point where its numbers say, every mistake a cross, and who looks like whom."""

import re
import shutil

import make_run
import numpy as np
import pytest
from visible_words import english_in

from svertka.errors import RunError
from svertka.reporting import write_report
from svertka.reporting.charts import charts
from svertka.reporting.sections.map import section
from svertka.runs.results import read_results


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_run.with_map(make_run.invented(tmp_path_factory.mktemp("runs") / "map", classes=15, skill=1.5))


@pytest.fixture
def run(made, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(made, tmp_path / "run")


def shown(page):
    """The text of the section of the map."""
    return re.search(r'<section[^>]*id="map".*?</section>', page, re.DOTALL)[0]


def places(drawing, role):
    """Where a drawing has points of this role."""
    path = re.search(rf'<path class="{role}" d="(.*?)"', str(drawing))
    return [tuple(map(int, m)) for m in re.findall(r"M(-?\d+) (-?\d+)", path[1])] if path else []


def test_points_keep_their_distances_and_up_is_up():
    points = np.array([[0, 0], [4, 0], [4, 1], [0, 1]], dtype=np.float32)
    none = np.zeros(4, dtype=bool)
    drawn = charts.scatter(points, [("hit", none), ("miss", none)], title="t")
    width, height = charts.SCATTER
    unit = (width - 2 * charts.MARGIN) / 4  # the longer axis fills the drawing
    want = {(round(width / 2 + (x - 2) * unit), round(height / 2 - (y - 0.5) * unit)) for x, y in points}
    assert set(places(drawn, "rest")) == want
    assert not places(drawn, "hit")


def test_one_place_for_all_points_is_drawn_in_the_middle():
    drawn = charts.scatter(np.ones((5, 2), np.float32), [("hit", np.ones(5, bool))], title="t")
    assert places(drawn, "hit") == [(160, 120)]


def test_panels_count_what_the_predictions_say(made):
    found = section.section(read_results(made))
    with np.load(made / "predictions.npz") as p, np.load(made / "map.npz") as m:
        labels = read_results(made).manifest.labels
        guess = dict(zip(p["validation_index"].tolist(), p["validation_probability"].argmax(1).tolist(), strict=True))
        index = m["index"].tolist()
    missed = [sum(labels[i] == c and guess.get(i, c) != c for i in index) for c in range(15)]
    sizes = [sum(labels[i] == c for i in index) for c in range(15)]
    assert len(found["panels"]) == section.PANELS
    for panel in found["panels"]:
        c = int(panel["name"].split()[-1])
        assert (panel["n"], panel["wrong"]) == (sizes[c], missed[c])
        assert 0 < len(places(panel["chart"], "miss")) <= missed[c]
    left = set(range(15)) - {int(p["name"].split()[-1]) for p in found["panels"]}
    assert max(missed[c] for c in left) <= min(p["wrong"] for p in found["panels"])


def test_the_page_shows_what_mistakes_are_like(made):
    text = shown(write_report(made).read_text(encoding="utf-8"))
    manifest = read_results(made).manifest
    with np.load(made / "map.npz") as found:
        for asked, similar, cosine in zip(found["asked"], found["similar"], found["cosine"], strict=True):
            assert manifest.paths[asked] in text
            for i, value in zip(similar, cosine, strict=True):
                assert manifest.paths[i] in text
                assert f"{value:.2f}" in text
        others = (manifest.labels[found["similar"]] != manifest.labels[found["asked"]][:, None]).sum()
        assert text.count("<img") == 4 * len(found["asked"])
    assert text.count('<b class="wrong">') == others
    assert "42.0\u202f%" in text
    assert "12 of 15 classes" in text


def test_in_russian_no_english_is_left(run):
    page = write_report(run, lang="ru").read_text(encoding="utf-8")
    assert "Как сеть видит изображения" in page
    assert not english_in(page)


def test_without_mistakes_or_validation_the_map_remains(run):
    with np.load(run / "map.npz") as found:
        kept = {name: found[name] for name in ("points", "index")}
    np.savez(run / "map.npz", **kept)
    (run / "predictions.npz").unlink()
    text = shown(write_report(run).read_text(encoding="utf-8"))
    assert "a cross" not in text
    assert "<img" not in text
    assert 'class="miss"' not in text


def test_a_run_without_a_map_has_no_such_section(run):
    (run / "map.npz").unlink()
    assert 'id="map"' not in write_report(run).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        {"index": np.array([0])},
        {"index": None},
        {"points": np.full((1000, 2), np.nan, np.float32)},
        {"similar": np.zeros((6, 3), int) + 10**6},
        {"similar": np.zeros(6, int)},
        {"cosine": np.zeros((6, 2), np.float32)},
        {"pixels": np.zeros((6, 4, 8, 8, 3), np.float32)},
        {"pixels": None},
    ],
)
def test_a_map_that_does_not_fit_is_named(run, change):
    with np.load(run / "map.npz") as found:
        arrays = {name: found[name] for name in found.files} | change
    np.savez(run / "map.npz", **{name: values for name, values in arrays.items() if values is not None})
    with pytest.raises(RunError, match=r"map\.npz"):
        write_report(run)
