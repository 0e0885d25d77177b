"""Transfer: folding against the plain network, the linear head against scikit-learn, the cache, the ladder, runs."""

import json
import shutil
import time

import numpy as np
import pytest
import torch
from make_backbones import PREPROCESS, SIDE, backbone, photos, shaken
from sklearn.linear_model import LogisticRegression

import svertka
from svertka import Recipe
from svertka.blocks import Ensemble, Net, put_head
from svertka.blocks.ensemble import overlaps, resized
from svertka.cache.locks import LOCK
from svertka.cache.quota import make_room
from svertka.data import Augment, Loader
from svertka.errors import UnknownName, UsageError, WeightsError
from svertka.hardware.parallel_inference import Streams, Way
from svertka.hardware.plan import Plan
from svertka.models import Model, build, describe
from svertka.models.fold_batch_norm import folded, quick
from svertka.models.fused_conv import fusable
from svertka.records import Epoch, Step
from svertka.training.layer_decay import depths
from svertka.transfer import features, linear_probe, local_weights
from svertka.transfer.backbones import frozen_digest, open_backbone, side_by_side
from svertka.transfer.features import View, extract, key
from svertka.transfer.finetune import begin, finetune, gentle

pytestmark = pytest.mark.usefixtures("own_cache")


# --- folding ---


@pytest.mark.parametrize("make", [folded, quick])
@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("resnet18", 64),
        ("mobilenet_v2_035", 64),
        ("densenet121", 64),
        ("squeezenet1_1", 65),
        ("mobilenet_v3_small", 47),
    ],
)
def test_quick_features_are_those_of_the_network(name, side, make):
    net = shaken(name, **({"padding": "tensorflow"} if "mobilenet" in name else {}))
    before = frozen_digest(net)
    made = make(net, (3, side, side))
    x = torch.randn(3, 3, side, side).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        truth = net.embed(x)
        torch.testing.assert_close(made.embed(x), truth, rtol=1e-3, atol=1e-4 * truth.abs().max().item())
    assert frozen_digest(net) == before
    norms = sum(isinstance(m, torch.nn.BatchNorm2d) for m in made.modules())
    assert norms == 0 or name == "densenet121"  # there norms come before convolutions
    if make is quick and fusable(torch.nn.Conv2d(1, 1, 1)):
        assert not any(isinstance(m, torch.nn.Conv2d) for m in made.modules())


def test_an_activation_behind_a_sum_is_not_taken_for_the_convolutions():
    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.act = torch.nn.Conv2d(4, 4, 3, padding=1), torch.nn.ReLU(inplace=True)

        def forward(self, x):
            return self.act(self.conv(x).add_(x))

    net = Net(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Sequential(Block()), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Identity()
    )
    x = torch.randn(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        torch.testing.assert_close(quick(net, (3, 8, 8)).embed(x), net.embed(x), rtol=1e-4, atol=1e-5)


def test_streams_take_the_quicker_way_and_remember_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path))
    way = {8: 0.004, 32: 0.0004}  # seconds an item by the size of the piece
    seen = []

    def work(which):
        time.sleep(way[8 if which.stop - which.start <= 8 else 32] * (which.stop - which.start))
        return list(range(which.start, which.stop))

    choices = (Way(8, 2), Way(32, 1))
    made = Streams("kept", choices)
    for which, numbers in made.run(work, 300):
        assert numbers == list(range(which.start, which.stop))
        seen += numbers
    assert seen == list(range(300))
    assert made.chosen == choices[1]
    assert Streams("kept", choices).chosen == choices[1]
    (tmp_path / "plans" / "kept.json").write_text("{")
    assert Streams("kept", choices).chosen is None


def test_streams_put_the_number_of_threads_back():
    before = torch.get_num_threads()
    made = Streams("nowhere", (Way(2, 3),))
    assert [r for _, r in made.run(lambda which: torch.get_num_threads(), 6)] == [1, 1, 1]
    assert torch.get_num_threads() == before


# --- heads ---


@pytest.mark.parametrize(("n", "d"), [(90, 12), (40, 70)])
@pytest.mark.parametrize("strength", [1.0, 0.01])
def test_the_linear_optimum_is_scikit_learns(n, d, strength):
    g = torch.Generator().manual_seed(n)
    x = torch.randn(n, d, generator=g, dtype=torch.double) * torch.linspace(0.3, 3, d)
    y = (x[:, :3] + 0.4 * torch.randn(n, 3, generator=g)).argmax(1)
    axes = linear_probe._upright(x)
    w = linear_probe._solve(axes[0], y, 3, strength)
    known = LogisticRegression(C=1 / (strength * n), tol=1e-10, max_iter=10_000).fit(x.numpy(), y.numpy())
    np.testing.assert_allclose((w[:, :-1] @ axes[1].T).numpy(), known.coef_, atol=2e-3 * np.abs(known.coef_).max())


def test_one_example_of_a_class_and_a_class_without_any():
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([0, 0, 0, 1, 1, 1, 2])
    for fit in (linear_probe.nearest, linear_probe.linear, linear_probe.dense):
        head = fit(x, y, 4)
        logits = head.module(x)
        assert logits.shape == (7, 4)
        assert torch.isfinite(logits).all()
        assert not (logits.argmax(1) == 3).any()


def test_neighbors_by_definition():
    g = torch.Generator().manual_seed(1)
    x, y = torch.randn(30, 6, generator=g), torch.randint(3, (30,), generator=g)
    head = linear_probe.nearest(x, y, 3)
    unit = x / x.norm(dim=1, keepdim=True)
    for q in torch.randn(10, 6, generator=g):
        near = sorted(range(30), key=lambda i: -float(unit[i] @ q))[: head.options["k"]]
        votes = [sum(int(y[i]) == c for i in near) for c in range(3)]
        assert votes[int(head.module(q[None]).argmax())] == max(votes)


# --- several side by side ---


def test_resizing_keeps_the_mean_and_the_parts_keep_their_embeddings():
    maps = torch.randn(2, 3, 13, 9)
    torch.testing.assert_close(resized(maps, 7, 4).mean((2, 3)), maps.mean((2, 3)))
    assert torch.allclose(overlaps(13, 7).sum(1), torch.ones(7))
    a, b = backbone(), backbone("mobilenet_v2_035", (0.2, 0.4, 0.6))
    both = side_by_side([a, b])
    pixels = torch.randint(256, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    with torch.no_grad():
        x = both.preprocess.normalize(pixels)
        parts = torch.cat([one.net.embed(one.preprocess.normalize(pixels)) for one in (a, b)], 1)
        torch.testing.assert_close(both.net.embed(x), parts, rtol=1e-4, atol=1e-4)
    assert both.net.features(x).shape[2:] == (1, 1)


def test_a_model_of_two_networks_is_saved_and_read(tmp_path):
    both = side_by_side([backbone(), backbone("mobilenet_v2_035", (0.2, 0.4, 0.6))])
    width = 64 + 1280
    net = both.with_head("linear", width, 2)
    spec = describe(net, both.name, both.preprocess.shape)
    assert isinstance(build(spec, 2), Ensemble)
    Model(net, ("a", "b"), both.preprocess, spec).save(tmp_path / "model")
    pixels = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
    first = Model(net, ("a", "b"), both.preprocess, spec).probabilities(pixels)
    torch.testing.assert_close(Model.load(tmp_path).probabilities(pixels), first)


def test_a_head_that_is_none():
    with pytest.raises(UnknownName, match="linear"):
        put_head(shaken("resnet20"), "liner", 64, 2)


# --- features ---


def test_features_are_computed_once_and_an_interruption_costs_little(monkeypatch):
    b = backbone()
    g = np.random.default_rng(0)
    pixels = g.integers(0, 256, (70, SIDE, SIDE, 3), dtype=np.uint8)
    digests = g.integers(0, 256, (70, 16), dtype=np.uint8)
    index, seen = np.arange(70), []

    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(b, pixels, digests, index, progress=stop)
    first = extract(b, pixels, digests, index, progress=lambda done, total: seen.append(total))
    assert seen
    assert set(seen) == {70 - 8}  # the first piece was kept
    with torch.no_grad():
        truth = b.net.embed(b.preprocess.normalize(pixels))
    torch.testing.assert_close(first, truth, rtol=1e-3, atol=1e-4)
    seen.clear()
    again = extract(b, pixels[::-1].copy(), digests[::-1].copy(), index, progress=lambda *_: seen.append(1))
    assert not seen
    torch.testing.assert_close(again.flip(0), first)


def test_damaged_and_older_features_are_computed_again(tmp_path, monkeypatch):
    b = backbone()
    pixels, digests = np.zeros((3, SIDE, SIDE, 3), np.uint8), np.eye(3, 16, dtype=np.uint8)
    first = extract(b, pixels, digests, np.arange(3))
    [part] = (tmp_path / "cache" / "features").rglob("*.npz")
    part.write_bytes(part.read_bytes()[:-40])
    torch.testing.assert_close(extract(b, pixels, digests, np.arange(3)), first)
    now = key(b, features.PLAIN)
    monkeypatch.setattr(features, "VERSION", 2)
    assert key(b, features.PLAIN) != now


def test_features_leave_the_cache_but_not_while_they_are_in_use(tmp_path, monkeypatch):
    b, shelves = backbone(), tmp_path / "cache" / "features"
    pixels, digests = np.zeros((3, SIDE, SIDE, 3), np.uint8), np.eye(3, 16, dtype=np.uint8)
    view = View(1, Augment(flip_horizontal=True))
    first, other = shelves / key(b, features.PLAIN), shelves / key(b, view)
    extract(b, pixels, digests, np.arange(2))
    before = (first / LOCK).stat().st_mtime
    monkeypatch.setenv("SVERTKA_CACHE_LIMIT", str(10**6))

    def crowded(done, total):
        make_room(shelves, 10**6)
        assert first.exists()

    kept = extract(b, pixels, digests, np.arange(3), progress=crowded)
    assert (first / LOCK).stat().st_mtime > before
    make_room(shelves, 0)
    assert first.exists()  # they are no hindrance
    make_room(shelves, 10**6)
    assert not first.exists()
    monkeypatch.setenv("SVERTKA_CACHE_LIMIT", "10")  # too little for any
    assert extract(b, pixels, digests, np.arange(3), view=view).shape == kept.shape
    assert not list(other.glob("*.npz"))
    torch.testing.assert_close(extract(b, pixels, digests, np.arange(3)), kept)


def test_the_cache_may_go_while_features_are_computed(tmp_path):
    b = backbone()
    pixels, digests = np.zeros((3, SIDE, SIDE, 3), np.uint8), np.eye(3, 16, dtype=np.uint8)
    first = extract(b, pixels, digests, np.arange(3), progress=lambda *_: shutil.rmtree(tmp_path / "cache", True))
    again = extract(b, pixels, digests, np.arange(3), progress=lambda *_: pytest.fail("they were kept"))
    torch.testing.assert_close(first, again)


def test_views_are_functions_of_the_picture():
    b = backbone()
    g = np.random.default_rng(0)
    pixels, digests = g.integers(0, 256, (6, SIDE, SIDE, 3), np.uint8), g.integers(0, 256, (6, 16), np.uint8)
    view = View(1, Augment(flip_horizontal=True, shift=0.2))
    all_at_once = extract(b, pixels, digests, np.arange(6), view=view)
    assert not torch.allclose(all_at_once, extract(b, pixels, digests, np.arange(6)))
    net = folded(b.net, b.preprocess.shape)
    order = torch.from_numpy(digests[4:, :8].copy().view(np.int64)[:, 0])
    alone = net.embed(b.preprocess.normalize(view.augment(torch.from_numpy(pixels[4:]), order, 0, 1)))
    torch.testing.assert_close(all_at_once[4:], alone, rtol=1e-4, atol=1e-5)


# --- frozen means frozen ---


@pytest.mark.parametrize("last", [1, 2, None])
def test_what_is_not_unfrozen_does_not_move(last):
    net = put_head(shaken("resnet20"), "linear", 64, 2)
    parts = depths(net)
    state = begin(net, gentle(Recipe(learning_rate=0.01), 4)[0], Plan(), last)
    learned = {id(p) for group in state.optimizer.param_groups for p in group["params"]}
    frozen = parts[:-last] if last else []
    assert not any(id(p) in learned for part in frozen for module in part for p in module.parameters())
    before = {k: v.clone() for k, v in net.state_dict().items()}
    net.train()
    for module in state.frozen:
        module.eval()
    for _ in range(2):
        state.optimizer.zero_grad()
        net(torch.randn(4, 3, SIDE, SIDE)).square().sum().backward()
        state.optimizer.step()
    moved = {k for k, v in net.state_dict().items() if not torch.equal(v, before[k])}
    assert moved
    assert not any("running_" in k for k in moved)
    allowed = ("head.", *(f"stages.{k}." for k in range(3 - (last or 3), 3)), *(() if last else ("stem.",)))
    assert all(k.startswith(allowed) for k in moved), moved
    assert all(p.grad is None for part in frozen for module in part for p in module.parameters())
    assert {id(p) for p in state.optimizer.state} <= learned


def test_stopped_before_an_epoch_is_over_nothing_was_learned():
    pixels = np.random.default_rng(0).integers(0, 256, (12, SIDE, SIDE, 3), dtype=np.uint8)
    recipe = gentle(Recipe(learning_rate=0.01, epochs=2, batch_size=3), 12)[0]
    train = Loader(pixels, np.arange(12) % 2, np.arange(12), PREPROCESS, batch=3, seed=0, even=True, classes=2)
    state = begin(put_head(shaken("resnet20"), "linear", 64, 2), recipe, Plan(), 1)
    records = []
    assert not finetune(state, train, None, recipe, Plan(), lambda record: records.append(record) or True)
    assert [type(record) for record in records] == [Step]
    assert finetune(state, train, None, recipe, Plan(), lambda record: isinstance(record, Epoch))


# --- whole runs ---


def test_a_run_from_an_earlier_run(sv, saved, tmp_path):
    data = photos(tmp_path / "data")
    before = frozen_digest(Model.load(saved).net)
    status, out, err = sv("train", data, "--weights", saved, "--out", "run", "--json", "--set", "validation=0.5")
    assert status == 0, err
    summary = json.loads(out)
    assert [r["rung"] for r in summary["ladder"]] == ["nearest neighbors", "linear head"]
    assert summary["validation"]["accuracy"] == max(r["accuracy"] for r in summary["ladder"])
    assert frozen_digest(Model.load("run").net) == before
    assert "What the weights it started from are good for" in (tmp_path / "run" / "report.html").read_text()
    status, out, _ = sv("train", data, "--weights", saved, "--out", "again", "--json", "--set", "validation=0.5")
    assert json.loads(out)["images_per_second"] == 0  # nothing was looked at twice


def test_predict_agrees_with_the_ladder(sv, saved, tmp_path):
    for part, each in (("train", 6), ("val", 5)):
        photos(tmp_path / "data" / part, each=each)
    summary = json.loads(sv("train", "data", "--weights", saved, "--out", "run", "--json")[1])
    found = json.loads(sv("evaluate", "run", "data", "--json")[1])
    assert found["part"] == "validation"
    assert found["accuracy"] == summary["validation"]["accuracy"]


def test_with_minutes_it_climbs_on(sv, saved, tmp_path):
    photos(tmp_path / "data" / "train", each=5)
    photos(tmp_path / "data" / "val", each=3)
    status, out, err = sv("train", "data", "--weights", saved, "--out", "run", "--json", "--minutes", "60")
    assert status == 0, err
    rungs = [r["rung"] for r in json.loads(out)["ladder"]]
    assert rungs == [
        "nearest neighbors", "linear head", "from scratch", "linear head, varied views", "dense head, varied views",
        "last stages unfrozen", "whole network",
    ]  # fmt: skip
    assert sv("evaluate", "run", "data")[0] == 0


def test_gray_and_small_pictures_are_told(sv, saved, tmp_path):
    photos(tmp_path / "data", gray=True, side=20)
    status, _, err = sv("train", "data", "--weights", saved, "--out", "run")
    assert status == 0, err
    assert "three equal channels" in err
    assert "enlarged to the 32" in err


def test_without_weights_one_sentence_and_from_scratch(sv, tmp_path):
    photos(tmp_path / "data")
    status, _, err = sv("train", "data", "--out", "run", "--set", "batch_size=4", "--epochs", "1")
    assert status == 0
    assert "from scratch" not in err  # passes over pictures were asked for: no weights are looked for
    assert local_weights.at_hand() == ()
    assert "svertka weights" in local_weights.missing_sentence()
    assert local_weights.sought(Recipe(), 200)
    assert not local_weights.sought(Recipe(), 28)
    assert not local_weights.sought(Recipe(net="small"), 200)


def test_freezing_what_there_is_not_lists_the_stages(sv, saved, tmp_path):
    photos(tmp_path / "data")
    status, _, err = sv("train", "data", "--weights", saved, "--freeze", "9", "--out", "run")
    assert status == 2
    assert "backbone" in err
    status, _, err = sv("train", "data", "--weights", saved, "--freeze", "stem,stages.7", "--out", "run")
    assert status == 2
    assert "'stages.7'" in err
    assert "stages.0, stages.1" in err
    status, _, err = sv(
        "train", "data", "--weights", saved, "--freeze", "stem,stages.1", "--epochs", "1", "--out", "run2"
    )
    assert status == 0, err


def test_weights_of_another_architecture(sv, saved, tmp_path):
    photos(tmp_path / "data")
    np.savez(tmp_path / "odd.npz", **{"a/kernel": np.zeros((3, 3, 3, 5), np.float32)})
    status, _, err = sv("train", "data", "--weights", "odd.npz", "--out", "run")
    assert status == 1
    assert "no network of the zoo" in err
    with pytest.raises(WeightsError, match="not those of resnet20"):
        open_backbone(tmp_path / "odd.npz", net="resnet20")
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="--net"):
        open_backbone("imagenet")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["old", "--net", "lenet"], "a run of resnet20, not of lenet"),
        (["old,old"], "name each once"),
        (["old,"], "between commas"),
        (["old", "--freeze", "none", "--set", "head=netvlad"], "leave --freeze away"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(words, told, sv, saved, tmp_path):
    photos(tmp_path / "data", each=2)
    status, _, err = sv("train", "data", "--weights", *words, "--out", "run")
    assert (status, told in err) == (2, True), err
    assert not (tmp_path / "run").exists()


# --- the real thing ---


@pytest.mark.parametrize(
    ("file", "name", "mean"),
    [
        ("mobilenetv2_035_imagenet_notop.npz", "mobilenet_v2_035", 0.5),
        ("squeezenet1_0_imagenet_deepcomp.npz", "squeezenet1_0", 0.485),
        ("cifar_resnets.zip/pretrained_models/resnet20-12fca82f.th", "resnet20", 0.485),
    ],
)
def test_published_files_are_recognized(shared, file, name, mean):
    found = open_backbone(shared / "weights" / file)
    assert found.name == name
    assert found.preprocess.mean[0] == mean


@pytest.mark.slow
def test_hymenoptera_reaches_what_is_known(shared, monkeypatch, tmp_path):
    monkeypatch.setenv("SVERTKA_DATA", str(shared))
    done = svertka.train(shared / "data" / "hymenoptera.zip", out=tmp_path / "run")
    assert done.summary["validation"]["accuracy"] >= 0.935
