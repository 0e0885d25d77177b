"""What a kind has no ground for yet is one sentence, whichever verb asks."""

import numpy as np
import pytest
from make_pictures import shapes

import svertka
from svertka.errors import ShapeError, UsageError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A model of series, one of two classes rising, the other falling; and the file it learned from."""
    folder = tmp_path_factory.mktemp("series")
    g = np.random.default_rng(0)
    rows = [[k % 2, *(np.linspace(0, 1, 20) * (1 - 2 * (k % 2)) + g.normal(0, 0.05, 20))] for k in range(60)]
    np.savetxt(folder / "waves.tsv", rows, delimiter="\t", fmt="%.5f")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SVERTKA_CACHE", str(folder / "cache"))
        done = svertka.train(folder / "waves.tsv", out=folder / "run", net="fcn1d", epochs=2, plan={"compile": False})
    return done.path, folder / "waves.tsv"


@pytest.mark.parametrize(
    ("verb", "call"),
    [
        ("tune", lambda run, data: svertka.tune(data)),
        ("preview", lambda run, data: svertka.preview(data)),
        ("explain", lambda run, data: svertka.explain(run, data)),
        ("evaluate --robust", lambda run, data: svertka.evaluate(run, data, robust=True)),
        ("report --full", lambda run, data: svertka.report(run, full=True)),
    ],
)
def test_a_verb_that_knows_pictures_alone_says_so(run, verb, call):
    with pytest.raises(UsageError, match=f"`svertka {verb}` works on pictures so far, and not on series"):
        call(*run)


def test_what_series_have_works(run):
    answers = svertka.predict(*run)
    assert len(answers) == 60
    assert svertka.embed(*run).vectors.shape[0] == 60
    page = svertka.report(run[0]).read_text(encoding="utf-8")
    assert "pixels from 0 to 1" not in page  # how pictures are scaled
    assert "<dt>Color</dt>" not in page


def test_a_network_of_another_kind_is_one_sentence(run, tmp_path):
    with pytest.raises(ShapeError, match=r"resnet18 works on pictures.*1x20.*fcn1d"):
        svertka.train(run[1], net="resnet18", out=tmp_path / "a")
    with pytest.raises(ShapeError, match=r"resnet1d works on series.*1x16x16.*lenet"):
        svertka.train(shapes(tmp_path / "data"), net="resnet1d", size=16, out=tmp_path / "b")


def test_a_set_within_an_archive_is_answered_as_train_takes_it(run, tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "sets.zip", "w") as archive:
        archive.write(run[1], "waves/waves.tsv")
        archive.write(run[1], "others/others.tsv")
    assert len(svertka.predict(run[0], tmp_path / "sets.zip" / "waves")) == 60
