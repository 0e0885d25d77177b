"""Features of several stages: against plain hooks on the network as it came, in the cache, under heads, in runs."""

import copy
import dataclasses
import hashlib
import json
import os
import signal

import numpy as np
import pytest
import torch
from make_backbones import SIDE, backbone, both_parts, photos, shaken
from torch import nn

import svertka
from svertka import resume, zoo
from svertka.blocks import LastStages, Net, put_stages
from svertka.data import Augment
from svertka.errors import UsageError
from svertka.explanation import heats
from svertka.kinds.image import Preprocess
from svertka.models import Model, describe
from svertka.models.fold_batch_norm import folded, quick
from svertka.records import Step
from svertka.transfer import features
from svertka.transfer.backbones import Backbone, open_backbone, side_by_side, with_stages, with_vlad
from svertka.transfer.features import PLAIN, View, extract, key, write_part

pytestmark = pytest.mark.usefixtures("own_cache")


def hooked(net, x, last):
    """What the last stages of a network give, seen by plain hooks, averaged and one after the other: (n, d)."""
    seen = []
    hooks = [
        stage.register_forward_hook(lambda _module, _inputs, maps: seen.append(maps.clone().mean((2, 3))))
        for stage in list(net.stages)[-last:]
    ]
    try:
        net.features(x)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat(seen, dim=1)


def some(count, seed=0):
    g = np.random.default_rng(seed)
    return g.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8), g.integers(0, 256, (count, 16), dtype=np.uint8)


def of(name, side, **options):
    net, preprocess = shaken(name, **options), Preprocess(side, side, 3, "crop")
    return Backbone(name, net, preprocess, describe(net, name, preprocess.shape))


# --- what is computed ---


@pytest.mark.parametrize(
    ("name", "side", "last"),
    [
        ("resnet20", 32, 2),
        ("resnet20", 29, 3),
        ("mobilenet_v2_035", 64, 4),
        ("squeezenet1_1", 65, 3),
        ("densenet121", 64, 2),
        ("alexnet", 70, 2),  # whose own pool is no global average
    ],
)
def test_the_embedding_is_what_plain_hooks_see(name, side, last):
    b = of(name, side, **({"padding": "tensorflow"} if "mobilenet" in name else {}))
    made = with_stages(b, last)
    x = torch.randn(3, 3, side, side).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        truth = hooked(b.net, x, last)
        near = {"rtol": 1e-3, "atol": 1e-4 * truth.abs().max().item()}
        torch.testing.assert_close(made.net.embed(x), truth, **near)
        for way in (folded, quick):
            ready = way(made.net, b.preprocess.shape)
            assert ready.stages.pooled
            torch.testing.assert_close(ready.embed(x), truth, **near)
    assert not made.net.stages.pooled
    assert type(b.net.stages) is nn.Sequential  # it is left as it was


def test_gradients_come_back_through_all_of_them():
    b = of("resnet20", 30)
    made = with_stages(b, 3).net
    x = torch.randn(2, 3, 30, 30)
    uneven = torch.randn(2, 16 + 32 + 64)
    grown = []
    for look in (lambda y: made.embed(y), lambda y: hooked(b.net, y, 3)):
        y = x.clone().requires_grad_()
        grown.append(torch.autograd.grad((look(y) * uneven).sum(), y)[0])
    torch.testing.assert_close(*grown, rtol=1e-3, atol=1e-5)


def bordered():
    """Stages that hand a map on to a norm or an activation that works in place: what was kept must not change."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(6)
    nn.init.uniform_(norm.running_mean, -1, 1)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    stages = nn.Sequential(
        nn.Conv2d(4, 6, 3),
        nn.Sequential(norm, nn.ReLU(inplace=True), nn.Conv2d(6, 5, 3, stride=2)),
        nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(5, 7, 3)),
    )
    return Net(nn.Conv2d(3, 4, 3), stages, nn.AdaptiveAvgPool2d(1), nn.Identity()).eval()


@pytest.mark.parametrize("last", [2, 3])
def test_what_comes_behind_a_stage_does_not_change_what_it_gave(last):
    net = bordered()
    x = torch.randn(2, 3, 19, 19).contiguous(memory_format=torch.channels_last)
    made = put_stages(copy.deepcopy(net), last)
    with torch.no_grad():
        truth = hooked(net, x, last)
        for one in (made, quick(made, (3, 19, 19)), folded(made, (3, 19, 19))):
            torch.testing.assert_close(one.embed(x), truth, rtol=1e-4, atol=1e-5)


def test_several_stages_of_several_networks_side_by_side():
    a, b = with_stages(backbone(), 2), with_stages(backbone("mobilenet_v2_035", (0.2, 0.4, 0.6)), 3)
    both = side_by_side([a, b])
    assert both.name == "resnet20 stages.1-2 + mobilenet_v2_035 stages.5-7"
    pixels = torch.randint(256, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    with torch.no_grad():
        parts = [hooked(backbone().net, a.preprocess.normalize(pixels), 2)]
        parts.append(hooked(backbone("mobilenet_v2_035").net, b.preprocess.normalize(pixels), 3))
        seen = both.net.embed(both.preprocess.normalize(pixels))
    torch.testing.assert_close(seen, torch.cat(parts, 1), rtol=1e-3, atol=1e-4)


def test_netvlad_pools_what_all_stages_give_at_a_place():
    b = with_stages(backbone(), 2)
    pixels, _ = some(6)
    vlad = with_vlad(b, pixels)
    assert (vlad.net.pool.channels, vlad.spec["stages"]) == (32 + 64, 2)
    with torch.no_grad():
        x = b.preprocess.normalize(pixels)
        assert not quick(vlad.net, b.preprocess.shape).stages.pooled  # NetVLAD needs places
        torch.testing.assert_close(
            quick(vlad.net, b.preprocess.shape).embed(x), vlad.net.embed(x), rtol=1e-3, atol=1e-5
        )


def test_one_stage_is_the_network_as_it_was():
    b = backbone()
    assert with_stages(b, 1) is b
    back = with_stages(with_stages(b, 3), 1)
    assert (back.name, back.digest, type(back.net.stages)) == (b.name, b.digest, nn.Sequential)


@pytest.mark.parametrize("last", [0, 4])
def test_more_stages_than_there_are_is_a_sentence_that_lists_them(last):
    with pytest.raises(UsageError, match=rf"stages={last} .*stages\.0, stages\.1, stages\.2: it takes 1 to 3\."):
        with_stages(backbone(), last)


# --- the cache ---


def test_features_of_one_stage_are_found_where_they_always_were():
    b = backbone()
    facts = {  # as it was before there were several
        "version": [1, features.STORE_VERSION],
        "backbone": b.digest,
        "preprocess": b.preprocess.to_dict(),
        "view": 0,
    }
    assert "stages" not in b.spec
    old = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()
    pixels, digests = some(3)
    planted = np.arange(12, dtype=np.float32).reshape(3, 4)
    rows = [(d.tobytes(), v) for d, v in zip(digests, planted, strict=True)]
    assert write_part(features.cache_folder("features") / old, rows)
    np.testing.assert_array_equal(extract(with_stages(b, 1), pixels, digests, np.arange(3)).numpy(), planted)
    views = (PLAIN, View(1, Augment(flip_horizontal=True)), View(2, Augment(flip_horizontal=True)))
    assert len({key(with_stages(b, last), view) for last in (1, 2, 3) for view in views} | {old}) == 9


def test_features_are_kept_under_weights_preprocessing_and_content():
    b, (pixels, digests) = with_stages(backbone(), 2), some(4)
    other = copy.deepcopy(b.net)
    with torch.no_grad():
        next(other.stages[0].parameters()).mul_(1.5)
    towards = dataclasses.replace(b.preprocess, mean=(0.4,) * 3)
    variants = [b, dataclasses.replace(b, net=other), dataclasses.replace(b, preprocess=towards)]
    assert len({key(one, PLAIN) for one in variants}) == 3
    seen = [extract(one, pixels, digests, np.arange(4)) for one in variants]
    assert not torch.allclose(seen[0], seen[1])
    assert not torch.allclose(seen[0], seen[2])
    assert not torch.allclose(extract(b, 255 - pixels, digests[::-1] + 1, np.arange(4)), seen[0])  # other files
    np.testing.assert_array_equal(extract(b, pixels * 0, digests, np.arange(4)).numpy(), seen[0].numpy())  # known ones


def test_interrupted_in_two_streams_it_goes_on_where_it_was():
    b = with_stages(backbone(), 2)
    pixels, digests = some(70)
    before, left = torch.get_num_threads(), []

    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyboardInterrupt):
            extract(b, pixels, digests, np.arange(70), progress=stop)
        found = extract(b, pixels, digests, np.arange(70), progress=lambda done, total: left.append(total))
    finally:
        torch.set_num_threads(before)
    assert set(left) == {70 - 8}  # the first piece was kept
    with torch.no_grad():
        truth = hooked(backbone().net, b.preprocess.normalize(pixels), 2)
    torch.testing.assert_close(found, truth, rtol=1e-3, atol=1e-4)


# --- whole runs ---


@pytest.mark.parametrize("head", [None, "neighbors", "dense", "netvlad"])
def test_a_run_with_several_stages_predicts_as_it_was_measured(head, sv, saved, tmp_path):
    data = both_parts(tmp_path / "data")
    kind = () if head is None else ("--set", f"head={head}")
    words = ("train", data, "--weights", saved, "--set", "stages=2", *kind, "--json", "--out")
    status, out, err = sv(*words, "run")
    assert status == 0, err
    summary, told = json.loads(out), json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert told["recipe"]["stages"] == 2
    assert all(rung["backbone"].startswith("resnet20 stages.1-2") for rung in summary["ladder"])
    assert "resnet20 stages.1-2" in (tmp_path / "run" / "report.html").read_text()
    model = Model.load("run")
    assert (type(model.net.stages), model.net.stages.last, model.spec["stages"]) == (LastStages, 2, 2)
    found = json.loads(sv("evaluate", "run", data, "--json")[1])
    assert found["accuracy"] == summary["validation"]["accuracy"]
    assert sv("explain", "run", data / "val" / "red" / "0.png", "--out", "why")[0] == 0
    if head is None:
        assert json.loads(sv(*words, "again")[1])["images_per_second"] == 0  # nothing was looked at twice
        vectors = svertka.embed("run", [data / "val" / "red"]).vectors
        assert vectors.shape == (5, 32 + 64)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--weights", "old", "--set", "stages=4"), "stages.0, stages.1, stages.2: it takes 1 to 3."),
        (("--weights", "old", "--set", "stages=0"), "stages must lie between 1"),
        (("--weights", "none", "--set", "stages=2"), "starts from weights"),
        (("--weights", "none", "--set", "head=dense"), "starts from weights"),
        (("--set", "stages=2"), "starts from weights"),  # where none are at hand
    ],
)
def test_what_cannot_be_is_a_sentence_and_nothing_is_written(words, told, sv, saved, tmp_path):
    photos(tmp_path / "data", each=2)
    status, _, err = sv("train", "data", *words, "--out", "run")
    assert (status, told in err) == (2, True), err
    assert not (tmp_path / "run").exists()


def test_stages_learn_from_their_own_depth_and_a_stopped_climb_goes_on_to_the_same_weights(saved, tmp_path):
    data = both_parts(tmp_path / "data", classes=("red", "blue", "green"))
    settings = {"weights": str(saved), "stages": 2, "epochs": 1, "batch_size": 5}
    whole = svertka.train(data, out=tmp_path / "whole", **settings)
    assert [r["rung"] for r in whole.summary["ladder"]][-2:] == ["last stages unfrozen", "whole network"]

    def stop(event):
        if isinstance(event, Step):
            os.kill(os.getpid(), signal.SIGTERM)

    assert svertka.train(data, out=tmp_path / "run", watch=stop, **settings).stopped
    assert not resume(tmp_path / "run").stopped
    digests = [json.loads((tmp_path / r / "metrics.json").read_text())["weights"] for r in ("whole", "run")]
    assert digests[0] == digests[1]


def test_a_run_with_several_stages_is_a_backbone_that_keeps_them(saved, tmp_path):
    data = both_parts(tmp_path / "data")
    svertka.train(data, weights=str(saved), stages=2, out=tmp_path / "run")
    opened = open_backbone(tmp_path / "run")
    assert (opened.name, opened.spec["name"], opened.net.stages.last) == ("resnet20 stages.1-2", "resnet20", 2)
    kept = svertka.train(data, weights=str(tmp_path / "run"), out=tmp_path / "kept")
    assert kept.summary["ladder"][0]["backbone"] == "resnet20 stages.1-2"
    plain = svertka.train(data, weights=str(tmp_path / "run"), stages=1, out=tmp_path / "plain")
    assert plain.summary["ladder"][0]["backbone"] == "resnet20"
    assert type(Model.load(tmp_path / "plain").net.stages) is nn.Sequential


def test_what_freeze_leaves_over_learns_from_several_stages(saved, tmp_path):
    data = both_parts(tmp_path / "data")
    svertka.train(data, weights=str(saved), stages=2, freeze="2", epochs=1, batch_size=5, out=tmp_path / "run")
    model = Model.load(tmp_path / "run")
    assert (model.spec["name"], model.net.stages.last, model.net.head.in_features) == ("resnet20", 2, 32 + 64)
    before, after = backbone().net.state_dict(), model.net.state_dict()
    frozen = [name for name in before if name.startswith(("stem.", "stages.0.", "stages.1."))]
    assert frozen
    assert all(torch.equal(before[name], after[name]) for name in frozen)


def test_grad_cam_sees_all_stages_that_the_head_sees():
    """Under a global average and a linear head it is the class activation map, worked out here from plain hooks."""
    torch.manual_seed(1)
    b = with_stages(of("resnet20", 32), 2)
    net = b.with_head("linear", 32 + 64, 3).eval().requires_grad_(False)
    x = torch.randn(2, 3, 32, 32)
    seen = []
    hooks = [stage.register_forward_hook(lambda _m, _i, maps: seen.append(maps.clone())) for stage in net.stages[-2:]]
    logits = net(x)
    for hook in hooks:
        hook.remove()
    fine, coarse = seen  # (2, 32, 16, 16), (2, 64, 8, 8)
    cells = torch.stack([
        fine[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((2, 3)) for i in range(8) for j in range(8)
    ], -1).view(2, 32, 8, 8)  # fmt: skip
    maps = torch.cat([cells, coarse], 1)  # (2, 96, 8, 8)
    for row, heat in enumerate(heats(net, x, "grad-cam")):
        cam = torch.einsum("c,chw->hw", net.head.weight[heat.target], maps[row])
        torch.testing.assert_close(cam.mean() + net.head.bias[heat.target], logits[row, heat.target])
        assert heat.layer == "stages"
        want = cam.clamp_min(0)
        np.testing.assert_allclose(heat.values, (want / want.max()).numpy(), atol=1e-4)
    assert not any(p.requires_grad for p in net.parameters())


@pytest.mark.parametrize(
    "name",
    ["alexnet", "vgg11_bn", "googlenet", "inception_v3", "resnet18", "resnext50_32x4d", "squeezenet1_0", "densenet121",
     "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "efficientnet_v2_s", "convnext_tiny"],
)  # fmt: skip
def test_every_family_with_published_weights_has_stages_to_average(name):
    """By shapes alone: as many numbers as the stages have channels."""
    with torch.device("meta"):
        net = zoo.net(name, classes=2).eval()
        x, widths = torch.empty(1, 3, zoo.variant(name).size, zoo.variant(name).size), []
        for stage in net.stages:
            stage.register_forward_hook(lambda _module, _inputs, maps: widths.append(maps.shape[1]))
        net.features(x)
        for last in range(2, len(widths) + 1):
            assert put_stages(net, last).embed(x).shape == (1, sum(widths[: len(net.stages)][-last:]))


def test_the_layer_table_follows_what_each_layer_sees():
    b = of("resnet20", 32)
    made = with_stages(b, 3).with_head("linear", 16 + 32 + 64, 3)
    plain, several = (svertka.table(net, shape=(3, 32, 32)) for net in (b.net, made))
    there = {layer.name: layer for layer in several.layers}
    for layer in plain.layers:
        if layer.name.startswith(("stem", "stages")):
            assert (there[layer.name].output, there[layer.name].receptive_field) == (
                layer.output,
                layer.receptive_field,
            )
    assert several.totals.macs >= plain.totals.macs


def test_auxiliary_heads_stay_behind():
    net = of("googlenet", 64).with_head("linear", 1024, 3).train()
    assert len(net.outputs(torch.randn(2, 3, 64, 64))) == 1
