"""A run folder may come from anywhere: whatever is in its files, there is one short sentence or an answer.

Mutants of every JSON and npz file of a kept run, from a seed: wrong types, missing and doubled members, numbers out of
all bounds, deep nesting, bytes changed, arrays whose head promises more than there is.
"""

import io
import json
import os
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from svertka.api.compare import compare
from svertka.api.evaluate import learned_from
from svertka.api.predict import promised
from svertka.errors import RunError, SvertkaError
from svertka.models import Model
from svertka.reporting.report import page_of
from svertka.runs import layout
from svertka.runs.files import read_npz, read_recipe
from svertka.runs.pictures import read_explanations, read_map
from svertka.runs.predictions import read_predictions
from svertka.runs.reopen import open_data
from svertka.runs.results import read_results
from svertka.runs.run_folder import Run

KEPT = Path(__file__).parent / "format2"
JSONS = ("recipe.json", "metrics.json", "failing.json", "check.json", "network.json", "model/model.json",
         "manifest.json", "baselines.json", "robustness.json", "repeats.json")  # fmt: skip
ARRAYS = ("predictions.npz", "examples.npz", "explanations.npz", "map.npz", "check.npz")
ODD = (
    None, True, False, 0, -1, 3, 2**70, -(2**62), 1.5, -0.5, 1e308, "", "x", "9" * 400, "é\udce9", [], {}, [[]], [None],
    {"": 0}, "%s {n} {", "../../etc/passwd", [1, "a"], {"name": {}}, "<script>alert(1)</script>",
)  # fmt: skip
MOST = 300  # letters of a message, beside the folder's name


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The kept run with every file that a run may have."""
    run = shutil.copytree(KEPT, tmp_path_factory.mktemp("whole"), dirs_exist_ok=True) / "run"
    share = {"accuracy": 0.5, "low": 0.2, "high": 0.8}
    weights = read_results(run).hashes["model/model.json".replace("model.json", "weights.safetensors")]
    files = {
        "baselines.json": {"weights": weights, "part": "validation", "n": 10, "model": {"n": 10, **share},
                           "rows": [{"name": "tiny network", "n": 10, **share, "p": 0.5}]},
        "robustness.json": {"weights": weights, "part": "validation", "n": 10, **share, "left_out": ["noise"],
                            "kinds": {"blur": {"unit": "x", "falls": 0.1, "points": [{"strength": 0.1, **share}]}}},
        "repeats.json": {"run": "many", "kind": "seeds", "sentence": "s", "test": None,
                         "validation": {**share, "n": 10, "deviation": 0.1},
                         "runs": [{"run": "1", "validation": {**share, "n": 10}, "test": None}]},
    }  # fmt: skip
    for name, content in files.items():
        (run / name).write_text(json.dumps(content))
    pixels = np.zeros((2, 3, 8, 8, 1), np.uint8)
    index = np.arange(10)
    np.savez(run / "check.npz", paths=np.array(["a", "b"]), pixels=pixels[0, :2])
    np.savez(
        run / "map.npz", index=index, points=np.zeros((10, 2)), axes=np.zeros((10, 4)), near=np.ones((10, 2)),
        share=0.5, asked=np.array([1, 2]), similar=np.array([[1, 2], [3, 4]]), cosine=np.zeros((2, 2)), pixels=pixels,
    )  # fmt: skip
    with np.load(run / "explanations.npz") as found:
        arrays = dict(found)
    arrays |= {
        "filters": np.zeros((4, 3, 3, 1), np.uint8), "maps_layers": np.array(["stem"]), "maps_sample": np.array(0),
        "maps_0": np.zeros((2, 4, 4), np.uint8), "maps_0_channels": np.array([0, 1, 4]),
        "field_layers": np.array(["stem"]), "field_box": np.array([[0, 0, 4, 4]]), "field_watched": np.array("stem"),
        "field_effective": np.zeros((16, 16), np.uint8), "patch_layer": np.array("stem"),
        "patch_channel": np.array([0]), "patch_place": np.array([[0, 1]]),
        "patch_box": np.zeros((1, 2, 4), np.int64) + 3, "imagined": np.zeros((1, 16, 16, 1), np.uint8),
        "imagined_channel": np.array([0]), "check_method": np.array(["grad-cam"]), "check": np.zeros((1, 3)),
        "check_pictures": np.array(1), "slow_place": np.array([0]), "slow_target": np.array([0]),
        "slow_own": np.zeros((1, 8, 8), np.uint8), "slow_channels": np.array(4),
    }  # fmt: skip
    np.savez(run / "explanations.npz", **arrays)
    assert "<section" in page_of(read_results(run))
    return run


@pytest.fixture
def run(whole, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(whole, tmp_path / "run")


def places_in(content, at=()):
    """Every place in a JSON value."""
    yield at
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inner:
        yield from places_in(value, (*at, key))


def mutated_json(data, rng):
    """Other text than `data`, the text of a JSON file."""
    content = json.loads(data)
    at = rng.choice(list(places_in(content)))
    kind = rng.randrange(6)
    if kind == 0:
        k = rng.randrange(len(data))
        return data[:k] + rng.choice(["", "\x00", "}", '"', "[" * 5000, "\\", "NaN", "1e999"]) + data[k + 1 :]
    if not at:
        return json.dumps(rng.choice(ODD))
    owner = content
    for key in at[:-1]:
        owner = owner[key]
    if kind == 1:
        del owner[at[-1]]
    elif kind == 2 and isinstance(owner, dict):
        owner["<doubled>"] = owner[at[-1]]
        return json.dumps(content).replace('"<doubled>"', json.dumps(at[-1]))
    elif kind == 3:
        deep = {}
        for _ in range(rng.choice([5, 200, 900])):
            deep = rng.choice([[deep], {"k": deep}])
        owner[at[-1]] = deep
    else:
        owner[at[-1]] = rng.choice(ODD)
    return json.dumps(content)


def head(text, length=118):
    """An .npy file that claims to be what `text` says."""
    line = text.encode("latin-1").ljust(length - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line


def mutated_npz(data, rng):
    """Other bytes than `data`, those of an .npz file."""
    with np.load(io.BytesIO(data)) as found:
        arrays = dict(found)
    name = rng.choice(list(arrays))
    array, out = arrays[name], io.BytesIO()
    kind = rng.randrange(8)
    if kind == 0:
        place = rng.randrange(len(data))
        return data[:place] + rng.randbytes(rng.choice([0, 1, 4])) + data[place + rng.choice([1, 4]) :]
    if kind == 1:
        return data[: rng.randrange(len(data))]
    if kind == 2:
        shape = rng.choice(["(10000000000000,)", "(-1,)", "()", "(3, 99999999)", "(1" + "," * 5000 + ")", "'x'", "{}"])
        dtype = rng.choice(["'|u1'", "'<f8'", "'|O'", "[('a', '<i4')]", "'<U9999999'", "3", "'<M8[ns]'"])
        with zipfile.ZipFile(out, "w") as archive:
            for other, values in arrays.items():
                plain = io.BytesIO()
                np.save(plain, values)
                own = head(f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}}}") + bytes(64)
                archive.writestr(f"{other}.npy", own if other == name else plain.getvalue())
        return out.getvalue()
    if kind == 3:
        np.savez_compressed(out, **arrays | {name: np.zeros(10**6, np.uint8)})
        return out.getvalue()
    others = ["U1", "S3", "O"] if array.dtype.kind == "U" else ["f4", "i8", "u1", "?", "c16"]
    changes = {
        4: lambda: arrays.pop(name),
        5: lambda: arrays.update({name: array.astype(rng.choice(others))}),
        6: lambda: arrays.update({name: array.reshape(-1)[: rng.randrange(3)]}),
        7: lambda: (
            arrays.update({name: np.full(array.shape, rng.choice([-1, 0, 255, 10**6])).astype(array.dtype)})
            if array.dtype.kind in "iuf"
            else arrays.pop(name)
        ),
    }
    changes[kind]()
    np.savez(out, **arrays)
    return out.getvalue()


def openers(name):
    """Whatever reads the file of a run, at once or first of all."""

    def resumed(run):
        opened = Run.open(run)
        opened.rewind(1, 3)
        opened.notes()

    def asked(run):
        promised(Model.load(run), 0.1, run)

    readers = {
        "model/model.json": [asked],
        "manifest.json": [learned_from, read_predictions],
        "predictions.npz": [read_predictions],
        "log.jsonl": [resumed],
        "recipe.json": [resumed, lambda run: open_data(run, read_recipe(run))],
    }
    return [read_results, *readers.get(name, ())]


def refusal(work, run):
    """None where it worked, else the sentence; anything but an error of ours is a failure of the test."""
    try:
        work(run)
    except SvertkaError as why:
        text = str(why).replace(str(run), "RUN")
        assert len(text) < MOST, (len(text), text)
        assert "\n" not in text, text
        return text
    return None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [*JSONS, *ARRAYS, "log.jsonl"])
def test_mutants_end_in_a_sentence_or_an_answer(run, name, monkeypatch):
    monkeypatch.chdir(run.parent)
    rng, path = random.Random(name), run / name
    data = path.read_bytes()
    refused = 0
    for _ in range(200):
        if name.endswith(".npz"):
            path.write_bytes(mutated_npz(data, rng))
        elif name.endswith(".jsonl"):
            lines = data.decode().splitlines()
            k = rng.randrange(len(lines))
            lines[k] = mutated_json(lines[k], rng)
            path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogatepass")
        else:
            path.write_text(mutated_json(data.decode(), rng), encoding="utf-8", errors="surrogatepass")
        refused += sum(refusal(work, run) is not None for work in openers(name))
    assert refused or name == "repeats.json"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [*JSONS, *ARRAYS, "log.jsonl"])
def test_what_is_read_of_a_mutant_can_be_shown(run, name, monkeypatch):
    monkeypatch.chdir(run.parent)
    rng, path = random.Random(f"shown {name}"), run / name
    data = path.read_bytes()
    for _ in range(12):
        if name.endswith(".npz"):
            path.write_bytes(mutated_npz(data, rng))
        elif not name.endswith(".jsonl"):
            path.write_text(mutated_json(data.decode(), rng), encoding="utf-8", errors="surrogatepass")
        refusal(lambda run: page_of(read_results(run)), run)


def test_mutants_of_what_two_runs_are_compared_by(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "other")
    rng = random.Random(1)
    for name in ("manifest.json", "predictions.npz"):
        data = (other / name).read_bytes()
        for _ in range(60):
            mutant = mutated_npz(data, rng) if name.endswith(".npz") else mutated_json(data.decode(), rng).encode()
            (other / name).write_bytes(mutant)
            refusal(lambda run: compare([run, other]), run)
        (other / name).write_bytes(data)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "{" * 100_000])
def test_deep_nesting_is_refused(run, text):
    (run / "metrics.json").write_text(text)
    with pytest.raises(RunError, match=r"metrics\.json is damaged"):
        read_results(run)


def test_a_doubled_member_is_named(run):
    (run / "metrics.json").write_text('{"stopped": false, "stopped": true}')
    with pytest.raises(RunError, match="'stopped' is there twice"):
        read_results(run)


def test_file_and_member_are_named(run):
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["validation"]["accuracy"] = "high"
    (run / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(RunError, match=r"metrics\.json is damaged: expected .* at validation\.accuracy\.$"):
        read_results(run)


def test_an_array_takes_no_more_memory_than_its_file(run):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("index.npy", head("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000,)}"))
    (run / "examples.npz").write_bytes(out.getvalue())
    with pytest.raises(RunError, match="not as large as its shape"):
        read_npz(run / "examples.npz", {})


def test_links_of_a_run_are_never_written_through(run, tmp_path):
    """Every file that a run writes is replaced where it is a link; one that grows is not opened through one."""
    precious = tmp_path / "precious"
    precious.write_text("precious")
    for name in (layout.METRICS, layout.LOG):
        (run / name).unlink()
        (run / name).symlink_to(precious)
    opened = Run.open(run)
    opened.write(layout.METRICS, {"stopped": True})
    with pytest.raises(SvertkaError, match="cannot be written"):
        opened.log({"kind": "note", "text": "x"})
    assert precious.read_text() == "precious"
    assert not (run / layout.METRICS).is_symlink()
    assert os.listdir(run / "model")  # noqa: PTH208


def test_old_pictures_without_channels_of_dreams_are_read(run):
    examples = read_results(run).examples
    with np.load(run / "explanations.npz") as found:
        arrays = {name: values for name, values in found.items() if name != "imagined_channel"}
    np.savez(run / "explanations.npz", **arrays)
    assert "imagined" in read_explanations(run, examples, 2)
    assert read_map(run, 40)["index"].tolist() == list(range(10))
