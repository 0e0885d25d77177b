"""The audit: planted faults are found, clean data stay clean, and the numbers are those of other implementations."""

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st
from make_pictures import QUICK, photo
from PIL import Image
from sklearn.metrics import roc_auc_score

from svertka.api.check import check, write_page
from svertka.audit import shortcuts
from svertka.common import restored
from svertka.data import Manifest
from svertka.data.splitting import near_duplicates
from svertka.data.store import builder as building
from svertka.errors import RunError
from svertka.kinds.image.copies import LOOSE, alike
from svertka.kinds.image.metadata import FORMATS, jpeg_quality, traces
from svertka.kinds.image.statistics import COSINES, FACTS, as_gray, picture_facts


def photos(root: Path, parts=("train", "val"), classes=("a", "b"), each=30, quality=85, seed=0) -> Path:
    for number, (part, name) in enumerate((p, c) for p in parts for c in classes):
        (root / part / name).mkdir(parents=True)
        for k in range(each):
            photo(seed + 1000 * number + k).save(root / part / name / f"{k:03}.jpg", quality=quality)
    return root


def plant_copies(root: Path, share=0.05, seed=0) -> set[str]:
    """Re-encode and resize a share of the training pictures into val; gives the names of the originals."""
    files = sorted(root.glob("train/*/*.jpg"))
    chosen = np.random.default_rng(seed).choice(len(files), max(2, round(share * len(files))), replace=False)
    for i in chosen.tolist():
        image = Image.open(files[i]).convert("RGB")
        small = image.resize((round(image.width * 0.8), round(image.height * 0.8)))
        small.save(root / "val" / files[i].parent.name / f"copy_{files[i].name}", quality=60)
    return {str(files[i].relative_to(root)) for i in chosen.tolist()}


# -- facts of pictures and files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 24, 31, 3), (4, 8, 8, 1), (3, 40, 17, 1)])
def test_the_fingerprint_is_scipys_cosine_transform(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    gray = as_gray(pixels).astype(np.float64)
    gray -= gray.mean((1, 2), keepdims=True)
    full = scipy.fft.dctn(gray, axes=(1, 2), norm="ortho")
    low = {(k, j): full[:, k, j] / np.linalg.norm(gray, axis=(1, 2)) for k in range(8) for j in range(8)}
    order = sorted(low, key=lambda kj: (kj[0] ** 2 + kj[1] ** 2, kj))[1 : COSINES + 1]
    expected = np.stack([low[kj] for kj in order], 1)
    np.testing.assert_allclose(picture_facts(pixels)["fingerprint"], expected, atol=1e-3)


def test_facts_by_their_definitions():
    pixels = np.zeros((2, 20, 20, 3), np.uint8)
    pixels[0, :, :10] = 200  # left half bright: even but for one column
    pixels[1] = (10, 20, 30)
    facts = picture_facts(pixels)
    assert facts.dtype == FACTS
    assert facts["mean"][0] == pytest.approx(100)
    assert facts["deviation"].tolist() == pytest.approx([100, 0], abs=1e-3)
    assert facts["even"].tolist() == pytest.approx([18 / 19, 1])
    assert facts["sharpness"][0] == pytest.approx(200**2 * 2 / 18)  # of 18 columns two have +-200, mean 0
    assert facts["border"][1].tolist() == [10, 20, 30]
    assert not facts["fingerprint"][1].any()


@pytest.mark.parametrize("shape", [(3, 19, 40, 3), (5, 12, 7, 1), (2, 70, 300, 3), (1, 2, 2, 3)])
def test_facts_by_their_definitions_pixel_by_pixel(shape):
    """On noise: the border against a mask, the rest against loops of whole arrays in float64."""
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    pixels[0, :, :5] = 77
    facts = picture_facts(pixels)
    _, h, w, c = shape
    wide = max(1, min(h, w) // 16)
    ring = np.ones((h, w), bool)
    ring[wide : h - wide, wide : w - wide] = False
    luma = pixels @ np.array([0.299, 0.587, 0.114]) if c == 3 else pixels[..., 0].astype(float)  # (k, h, w)
    for k in range(len(pixels)):
        np.testing.assert_allclose(facts["border"][k], np.resize(pixels[k][ring].mean(0), 3), atol=0.51)
        assert facts["mean"][k] == pytest.approx(luma[k].mean(), rel=1e-4)
        assert facts["deviation"][k] == pytest.approx(luma[k].std(), rel=1e-4)
        if min(h, w) < 3:
            continue
        gray = np.floor(luma[k] + 0.5)
        edges = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * gray[1:-1, 1:-1]
        assert facts["sharpness"][k] == pytest.approx(edges.var(), rel=1e-3)
        steps = np.maximum(abs(np.diff(gray, axis=1))[:-1], abs(np.diff(gray, axis=0))[:, :-1])
        assert facts["even"][k] == pytest.approx((steps <= 2).mean(), abs=2e-3)


@pytest.mark.parametrize("shape", [(90, 28, 28, 1), (5, 120, 90, 3), (7, 33, 11, 3), (3, 2, 9, 3), (2, 1, 1, 1)])
def test_facts_do_not_depend_on_the_pictures_beside(shape):
    pixels = np.random.default_rng(2).integers(0, 256, shape).astype(np.uint8)
    together, alone = picture_facts(pixels), np.concatenate([picture_facts(one[None]) for one in pixels])
    for name in FACTS.names:
        np.testing.assert_allclose(together[name], alone[name], rtol=1e-5, atol=1e-3)
    assert len(picture_facts(pixels[:0])) == 0


@pytest.mark.parametrize("quality", [1, 5, 20, 45, 50, 60, 75, 90, 95, 100])
def test_jpeg_quality_is_that_of_the_encoder(quality):
    file = io.BytesIO()
    photo(1).save(file, "JPEG", quality=quality)
    assert jpeg_quality(file.getvalue()) == quality


def test_the_camera_is_read_and_cleaned():
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon\0\n", "EOS  5D"
    file = io.BytesIO()
    photo(1).save(file, "JPEG", exif=exif)
    found = traces(file.getvalue())
    assert (FORMATS[found.format], found.camera) == ("JPEG", "Canon EOS 5D")


STARTS = [b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xe1\x01\x00Exif\0\0II*\0", b"GIF89a"]


@given(st.binary(max_size=300), st.sampled_from(STARTS))
@settings(deadline=None)
def test_traces_never_raise(data, start):
    found = traces(start + data)
    assert 0 <= found.format < len(FORMATS)
    assert isinstance(found.camera, str)


# -- copies --------------------------------------------------------------------------------------------------------


def test_planted_copies_are_all_found_and_none_beside(tmp_path):
    clean = check(photos(tmp_path / "data")).to_dict()
    assert (clean["leaks"], clean["near_duplicates"], clean["duplicates"]) == ([], [], [])
    originals = plant_copies(tmp_path / "data", 0.1)
    found = check(tmp_path / "data").to_dict()
    assert {leak["files"][0]["path"] for leak in found["leaks"]} == originals
    assert all([f["part"] for f in leak["files"]] == ["train", "validation"] for leak in found["leaks"])
    assert not any(leak["identical"] for leak in found["leaks"])
    assert found["warnings"][0].startswith("6 pictures stand in train and validation at once, such as train/")


def test_planted_copies_of_real_photographs(shared, tmp_path):
    with zipfile.ZipFile(shared / "data" / "flowers.zip") as archive:
        archive.extractall(tmp_path / "flowers")
    clean = check(tmp_path / "flowers").to_dict()
    assert (clean["leaks"], clean["near_duplicates"], clean["shortcuts"]) == ([], [], [])
    originals = plant_copies(tmp_path / "flowers")
    found = check(tmp_path / "flowers").to_dict()
    assert {leak["files"][0]["path"] for leak in found["leaks"]} == originals
    assert len(found["near_duplicates"]) == len(originals) == 20


def test_identical_files_and_labels_that_disagree(tmp_path):
    root = photos(tmp_path / "data", parts=("",), each=12)
    shutil.copy(root / "a/003.jpg", root / "a/again.jpg")
    shutil.copy(root / "a/005.jpg", root / "b/other.jpg")
    Image.open(root / "b/007.jpg").save(root / "a/nearly.png")
    found = check(root).to_dict()
    assert found["duplicates"] == [["a/003.jpg", "a/again.jpg"], ["a/005.jpg", "b/other.jpg"]]
    assert found["near_duplicates"] == [["a/nearly.png", "b/007.jpg"]]
    assert found["disagreements"] == [
        [{"path": "a/005.jpg", "class": "a"}, {"path": "b/other.jpg", "class": "b"}],
        [{"path": "a/nearly.png", "class": "a"}, {"path": "b/007.jpg", "class": "b"}],
    ]
    assert found["leaks"] == []
    assert "2 pictures stand in more than one class, such as a/005.jpg (a) and b/other.jpg (b)" in found["warnings"][0]


def test_the_tree_finds_what_all_pairs_find(tmp_path):
    root = photos(tmp_path / "data", each=20)
    plant_copies(root, 0.5)
    store = check(root).store
    n = len(store)
    every = np.array([(i, j) for i in range(n) for j in range(i + 1, n)])
    expected = every[alike(*(store.pixels[every[:, k]] for k in (0, 1)), LOOSE)]
    np.testing.assert_array_equal(near_duplicates.find_copies(store).pairs, expected)
    assert len(expected) == 20


def test_the_same_thing_in_another_color_is_no_copy(tmp_path):
    """Of red and blue counters each picture is the gray of another; saved again, it is a copy all the same.

    In one class they are copies in other colors, as somebody has made them to have more pictures.
    """
    y, x = np.mgrid[:64, :64]
    for k in range(12):
        inside = np.hypot(y - 16 - 16 * (k // 4), x - 14 - 12 * (k % 4)) < 9
        for name, color in (("red", (200, 60, 60)), ("blue", (70, 100, 240)), ("green", (60, 146, 60))):
            picture = np.where(inside[..., None], np.array(color, np.uint8), np.uint8(230))
            (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(tmp_path / "data" / name / f"{k:02}.png")
    found = check(tmp_path / "data").to_dict()
    assert (found["near_duplicates"], found["disagreements"]) == ([], [])
    Image.open(tmp_path / "data/blue/03.png").save(tmp_path / "data/blue/again.jpg", quality=95)
    assert check(tmp_path / "data").to_dict()["near_duplicates"] == [["blue/03.png", "blue/again.jpg"]]
    for name in ("red", "blue", "green"):
        for file in (tmp_path / "data" / name).glob("0*.png"):
            (tmp_path / "other" / "ab"[int(file.stem) % 2]).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tmp_path / "other" / "ab"[int(file.stem) % 2] / f"{name}-{file.name}")
    assert len(check(tmp_path / "other").to_dict()["near_duplicates"]) == 10


def test_pictures_that_show_nothing_are_no_copies_of_each_other(tmp_path):
    root = photos(tmp_path / "data", each=6)
    for k in range(3):
        Image.new("RGB", (60, 60), (k, k, k)).save(root / "train" / "a" / f"black{k}.png")
    found = check(root).to_dict()
    assert found["near_duplicates"] == []
    assert [(o["path"], o["kind"]) for o in found["oddities"]] == [(f"train/a/black{k}.png", "empty") for k in range(3)]


def test_different_digits_are_no_copies():
    assert check("digits").to_dict()["near_duplicates"] == []


# -- oddities ------------------------------------------------------------------------------------------------------


def test_each_oddity_is_found_and_nothing_else(tmp_path):
    root = photos(tmp_path / "data", each=40)
    made = {
        "dark": photo(901).point(lambda v: v // 8),
        "bright": photo(902).point(lambda v: 225 + v // 8),
        "blurred": photo(903).resize((4, 3)).resize((120, 90), Image.Resampling.BICUBIC),
        "small": photo(904).resize((24, 18)),
        "long": photo(905, (400, 90)),
    }
    for name, image in made.items():
        image.save(root / "train" / "a" / f"{name}.jpg", quality=92)
    text = Image.new("P", (120, 90), 0)
    text.putpalette([255, 255, 255, 90, 90, 90])
    text.paste(1, (20, 40, 100, 44))
    text.save(root / "train" / "b" / "placeholder.gif")
    found = check(root).to_dict()["oddities"]
    assert {(Path(o["path"]).stem, o["kind"]) for o in found} == {(k, k) for k in (*made, "placeholder")}


def test_the_placeholder_among_ants_is_found_and_no_other(shared):
    found = check(shared / "data" / "hymenoptera.zip").to_dict()
    assert [o["path"] for o in found["oddities"] if o["kind"] == "placeholder"] == ["train/ants/imageNotFound.gif"]
    assert (found["near_duplicates"], found["shortcuts"]) == ([], [])
    assert found["readable"] == 398


# -- shortcuts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "save"),
    [
        ("JPEG quality", lambda image, path: image.save(path, quality=60)),
        ("file format", lambda image, path: image.save(path.with_suffix(".png"))),
        ("picture size", lambda image, path: image.resize((100, 75)).save(path, quality=85)),
        ("aspect ratio", lambda image, path: image.resize((120, 110)).save(path, quality=85)),
        ("border color", lambda image, path: framed(image).save(path, quality=85)),
        ("camera", lambda image, path: image.save(path, quality=85, exif=camera("Nikon D90"))),
    ],
)
def test_a_planted_shortcut_rings_the_alarm(tmp_path, fact, save):
    root = photos(tmp_path / "data", parts=("",), classes=("a", "b", "c"), each=30)
    assert check(root).to_dict()["shortcuts"] == []
    for k, file in enumerate(sorted((root / "c").iterdir())):
        file.unlink()
        save(photo(2000 + k), file)
    found = check(root).to_dict()
    assert (fact, "c") in [(s["fact"], s["class"]) for s in found["shortcuts"]]
    assert any(f"The {fact} alone gives away" in w and "'c'" in w for w in found["warnings"])


def framed(image: Image.Image) -> Image.Image:
    frame = Image.new("RGB", image.size, (250, 250, 250))
    frame.paste(image.resize((image.width - 20, image.height - 20)), (10, 10))
    return frame


def camera(name: str) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0110] = name
    return exif


@pytest.mark.parametrize("quality", [60, 90])
def test_one_class_of_flowers_at_another_quality(shared, tmp_path, quality):
    with zipfile.ZipFile(shared / "data" / "flowers.zip") as archive:
        archive.extractall(tmp_path / "flowers")
    for file in (tmp_path / "flowers").rglob("tulips/*.jpg"):
        Image.open(io.BytesIO(file.read_bytes())).save(file, quality=quality)
    found = check(tmp_path / "flowers").to_dict()["shortcuts"]
    assert {s["class"] for s in found} == {"tulips"}


@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(2, 6))
@settings(deadline=None)
def test_the_area_is_scikit_learns(seed, n, values):
    g = np.random.default_rng(seed)
    scores, own = g.integers(0, values, n).astype(float), np.arange(n) % 2 == 0
    assert shortcuts._area(scores, own) == pytest.approx(roc_auc_score(own, scores))


def test_noise_never_rings():
    g = np.random.default_rng(0)
    labels = g.integers(0, 4, 400)
    for _ in range(20):
        bins = [g.integers(0, 16, 400) for _ in range(3)]
        scores = shortcuts._cross_validated(bins, labels, g.permutation(400) % 5, [0, 1, 2, 3])
        assert all(shortcuts._area(scores[:, k], labels == k) < 0.7 for k in range(4))


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_prints_one_object_and_touches_nothing(sv, tmp_path):
    root = photos(tmp_path / "data", each=6)
    plant_copies(root)
    (root / "train" / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in root.rglob("*")}
    status, out, _ = sv("check", root, "--json", "--html", "page.html")
    assert status == 0
    found = json.loads(out)
    promised = {"files", "readable", "classes", "unreadable", "duplicates", "near_duplicates", "leaks", "warnings"}
    assert promised <= set(found)
    assert (found["files"], found["readable"]) == (27, 26)
    assert found["unreadable"][0]["path"] == "train/a/broken.jpg"
    assert before == {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in root.rglob("*")}
    page = (tmp_path / "page.html").read_text()
    assert page.count("<img") >= 4
    assert "<script" not in page
    assert 'src="http' not in page
    status, out, _ = sv("check", root)
    assert status == 0
    assert "leaks between parts" in out
    assert "1 file of 27 cannot be read" in out


def test_a_page_never_replaces_another_file(tmp_path):
    found = check(photos(tmp_path / "data", each=3))
    (tmp_path / "mine.html").write_text("mine")
    with pytest.raises(RunError, match="no report of svertka"):
        write_page(found, tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_hostile_names_are_only_text_on_the_page(tmp_path):
    root = photos(tmp_path / "data", each=3)
    shutil.copy(root / "train/a/000.jpg", root / "val/b/<script>alert(1)<&>.jpg")
    write_page(check(root), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_training_keeps_what_the_check_found(sv, tmp_path):
    root = photos(tmp_path / "data", each=8)
    plant_copies(root)
    status, _, err = sv("train", root, "--out", "run", *QUICK)
    assert status == 0
    assert "stand in train and validation at once" in err
    kept = json.loads((tmp_path / "run" / "check.json").read_text())
    assert len(kept["leaks"]) == 2
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(), object_hook=restored)
    assert any("at once" in note for note in metrics["notes"])
    manifest = Manifest.load(tmp_path / "run" / "manifest.json")
    assert any("at once" in note for note in manifest.notes)
    assert "What the check of the data found" in (tmp_path / "run" / "report.html").read_text()


def test_copies_and_groups_stay_on_one_side_of_a_split(sv, tmp_path):
    root = tmp_path / "data"
    for name, first in (("a", 0), ("b", 500)):
        (root / name).mkdir(parents=True)
        for k in range(24):
            image = photo(first + k)
            image.save(root / name / f"p{k // 2:02}_{k}.jpg", quality=90)
            image.resize((96, 72)).save(root / name / f"copy{k}.jpg", quality=60)
    options = ("--group-by", r"/(p\d+)_", "--set", "validation=0.4", *QUICK)
    status, _, err = sv("train", root, "--out", "run", *options)
    assert status == 0, err
    manifest = Manifest.load(tmp_path / "run" / "manifest.json")
    part = dict(zip(manifest.paths, manifest.parts.tolist(), strict=True))
    assert set(part.values()) == {1, 2}
    for k in range(24):
        first = part[f"a/p{k // 2:02}_{k // 2 * 2}.jpg"]
        assert {part[f"{c}/{name}"] for c in "ab" for name in (f"p{k // 2:02}_{k}.jpg", f"copy{k}.jpg")} == {first}
    (root / "a" / "new.jpg").write_bytes(b"")
    photo(9000).save(root / "a" / "new.jpg")
    status, _, err = sv("train", root, "--out", "again", "--seed", "5", "--manifest", "run", *QUICK)
    assert status == 0, err
    assert "1 file is not in the manifest" in err
    again = Manifest.load(tmp_path / "again" / "manifest.json")
    assert {p: q for p, q in zip(again.paths, again.parts.tolist(), strict=True) if p in part} == part


def test_a_pattern_that_is_none(sv, tmp_path):
    status, _, err = sv("train", "digits", "--group-by", "(", "--out", "run")
    assert status == 2
    assert "group_by is no pattern" in err


@pytest.mark.slow
def test_sixty_thousand_pictures_take_less_than_a_minute_of_two_processors(shared, tmp_path, monkeypatch):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path))
    before = os.times()
    found = check(shared / "data" / "cifar10.zip").to_dict()
    spent = sum(os.times()[:4]) - sum(before[:4])
    assert found["readable"] == 60_000
    assert 20 <= len(found["leaks"]) <= 400  # CIFAR-10 has near-duplicates (Barz and Denzler 2020, arXiv:1902.00423)
    assert spent < 60 * 2


def test_copies_are_looked_for_once(tmp_path, monkeypatch):
    root = photos(tmp_path / "data", each=10)
    plant_copies(root, 0.3)
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path / "cache"))
    first = check(root).store
    building._wait_for_publication(first.folder)
    found = near_duplicates.find_copies(first)
    assert len(found.pairs) == 6
    (kept,) = first.folder.glob("copies-*.npy")

    def never(*_):
        raise AssertionError("they are known")

    monkeypatch.setattr(near_duplicates, "near_pairs", never)
    again = check(root)
    assert again.store.folder == first.folder
    np.testing.assert_array_equal(again.audit.copies.pairs, found.pairs)
    kept.write_bytes(kept.read_bytes()[:-1] + b"\1")
    with pytest.raises(AssertionError, match="they are known"):
        check(root)
    monkeypatch.undo()
    np.testing.assert_array_equal(near_duplicates.find_copies(first).pairs, found.pairs)
