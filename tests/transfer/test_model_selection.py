"""Which networks `auto` starts from: by strength, by the number of pictures, by the time, by the machine."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_backbones import backbone, photos, shaken
from safetensors.torch import save_file

import svertka
import svertka.errors
from svertka import Recipe, zoo
from svertka.common import restored
from svertka.hardware.autotune import keep
from svertka.models import Model, describe
from svertka.pipeline.ladder import choose_recipe, rungs
from svertka.pipeline.ladder.open_backbones import open_backbones
from svertka.reporting.i18n.translate import known, speaking
from svertka.transfer import local_weights, model_selection
from svertka.transfer.backbones import side_by_side
from svertka.transfer.model_selection import allowed, strength, strongest


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("SVERTKA_DATA", raising=False)
    monkeypatch.setenv("SVERTKA_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path / "cache"))


def invented(count):
    """Backbones that differ in their digests alone; nothing in them is ever run."""
    b = backbone()
    return [dataclasses.replace(b, name=f"net{k}", spec={**b.spec, "name": f"net{k}"}) for k in range(count)]


FOUND = invented(4)


def choose(strengths, seconds, pictures, time):
    """What is chosen of networks of these strengths and seconds a picture, by their numbers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_selection, "strength", lambda b: strengths[FOUND.index(b)])
        patch.setattr(model_selection, "seconds_each", lambda b: seconds[FOUND.index(b)])
        return [FOUND.index(b) for b in strongest(FOUND[: len(strengths)], pictures, time)]


def test_the_more_pictures_the_fewer_and_the_quicker_the_networks():
    strengths, seconds = (60.0, 76.0, 81.0), (0.001, 0.01, 0.1)
    assert [choose(strengths, seconds, n, 60.0) for n in (100, 500, 700, 5_000, 50_000, 10**7)] == [
        [2, 1], [2, 1], [1, 0], [1, 0], [0], [0],
    ]  # fmt: skip


def test_more_time_and_a_quicker_machine_allow_stronger_ones():
    strengths, seconds = (60.0, 81.0), (0.001, 0.1)
    assert choose(strengths, seconds, 1000, allowed(1)) == [0]
    assert choose(strengths, seconds, 1000, allowed(10)) == [1, 0]
    assert choose(strengths, [s / 10 for s in seconds], 1000, allowed(1)) == [1, 0]
    assert allowed(None) == model_selection.PATIENCE


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 90), st.integers(1, 500)), min_size=2, max_size=4),
    pictures=st.integers(1, 2000),
    time=st.integers(1, 100),
)
def test_by_definition_the_first_of_all_orders_that_fits(rows, pictures, time):
    strengths, seconds = [float(s) for s, _ in rows], [t / 1000 for _, t in rows]
    got = choose(strengths, seconds, pictures, float(time))
    assert len(got) <= local_weights.MOST
    cost = [pictures * s for s in seconds]
    if len(got) == 1 and cost[got[0]] > time:
        assert cost[got[0]] == min(cost)  # none fits: the quickest
        assert min(cost) > time
        return
    assert sum(cost[k] for k in got) <= time + 1e-6
    fitting = [k for k in range(len(rows)) if cost[k] <= time]
    assert strengths[got[0]] == max(strengths[k] for k in fitting)
    better = [k for k in fitting if k not in got and cost[got[0]] + cost[k] <= time - 1e-6]
    assert all(len(got) == 2 and strengths[got[1]] >= strengths[k] for k in better)


def test_pictures_prepared_in_two_ways_are_not_looked_at_twice():
    other = dataclasses.replace(FOUND[1], preprocess=dataclasses.replace(FOUND[1].preprocess, zoom=0.5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_selection, "seconds_each", lambda b: 0.001)
        patch.setattr(model_selection, "strength", lambda b: {"net0": 3.0, "net1": 2.0, "net2": 1.0}[b.name])
        assert [b.name for b in strongest([FOUND[0], other, FOUND[2]], 10, 60.0)] == ["net0", "net2"]


def test_what_ends_in_no_global_average_stands_alone():
    flat = dataclasses.replace(FOUND[0], net=zoo.net("alexnet", classes=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_selection, "seconds_each", lambda b: 0.001)
        patch.setattr(model_selection, "strength", lambda b: {"net0": 3.0, "net1": 2.0, "net2": 1.0}[b.name])
        assert [b.name for b in strongest([flat, FOUND[1], FOUND[2]], 10, 60.0)] == ["net0"]
        patch.setattr(model_selection, "strength", lambda b: {"net0": 2.0, "net1": 3.0, "net2": 1.0}[b.name])
        assert [b.name for b in strongest([flat, FOUND[1], FOUND[2]], 10, 60.0)] == ["net1", "net2"]
    with pytest.raises(svertka.errors.UsageError, match="does not end in a global average"):
        side_by_side([flat, FOUND[1]])


def test_strength_is_what_publishers_tell():
    b = FOUND[0]
    of = lambda source, name: strength(dataclasses.replace(b, source=source, spec={**b.spec, "name": name}))  # noqa: E731
    assert of("/somewhere/resnet50-0676ba61.pth", "resnet50") == 76.130
    assert of("/somewhere/my-own.pth", "resnet50") == 76.130  # the least of that network's
    assert of("/somewhere/mobilenetv2_035_imagenet_notop.npz", "mobilenet_v2_035") == 60.3
    assert of("/somewhere/strange.npz", "net0") == 0


def test_how_long_a_look_takes_is_measured_or_remembered(tmp_path):
    b = backbone()
    first = model_selection.seconds_each(b)
    assert 0 < first < 5
    keep(model_selection.streams(b).key, {"chosen": "a", "measured": {"a": 2e-6, "b": 1e-6}})
    assert model_selection.seconds_each(b) == 1e-6


def files(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        net = shaken(name)
        state = {k: v.contiguous() for k, v in net.state_dict().items() if not k.startswith("head.")}
        save_file(state, str(folder / f"{name}.safetensors"))
    return local_weights.at_hand()


def test_files_of_use_are_opened_and_the_others_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(model_selection, "seconds_each", lambda b: 0.01)
    here = files(tmp_path / "weights", "squeezenet1_1", "mobilenet_v2_035", "resnet20")
    (tmp_path / "weights" / "broken.npz").write_bytes(b"PK")
    assert len(here) == 3
    names = lambda **more: [  # noqa: E731
        b.name for b in open_backbones(list(local_weights.at_hand()), Recipe(**more), unasked=True, pictures=100)
    ]
    assert names() == ["mobilenet_v2_035", "squeezenet1_1"]  # resnet20 knows pictures of 32 pixels only
    assert names(minutes=0.1) == ["mobilenet_v2_035"]  # 1.8 seconds: one look of each picture
    assert names(stages=4) == ["mobilenet_v2_035 stages.4-7"]  # the other has three
    with pytest.raises(svertka.errors.UsageError, match="stages=9 does not go with"):
        names(stages=9)


def test_a_run_says_why_it_took_them(tmp_path):
    files(tmp_path / "weights", "squeezenet1_1", "mobilenet_v2_035")
    for part in ("train", "val"):
        photos(tmp_path / "data" / part, each=3)
    done = svertka.train(tmp_path / "data", size=64, out=tmp_path / "run")
    assert done.summary["ladder"][-1]["backbone"] == "mobilenet_v2_035 + squeezenet1_1"
    told = json.loads((tmp_path / "run" / "recipe.json").read_text(), object_hook=restored)
    assert told["reasons"]["net"] == choose_recipe.OF_USE
    assert "by accuracy on ImageNet" in (tmp_path / "run" / "report.html").read_text()


def test_with_nothing_at_hand_one_sentence_says_what_would_serve(sv, tmp_path):
    photos(tmp_path / "data", each=3)
    status, _, err = sv("train", "data", "--minutes", "0.05", "--out", "run")
    assert status == 0, err
    [line] = [line for line in err.splitlines() if "Training starts from scratch" in line]
    assert "mobilenet_v2.tv would serve" in line
    assert str(tmp_path / "cache" / "weights") in line
    with speaking("ru"):
        assert known(local_weights.missing_sentence()).startswith("Обучение идёт с нуля")
        assert known(choose_recipe.OF_USE).startswith("из имеющихся весов")


def test_an_earlier_run_of_two_networks_climbs_on(tmp_path, monkeypatch):
    monkeypatch.setitem(rungs.SHARES, "from scratch", 0.0)
    monkeypatch.setattr(rungs, "VIEWS", 1)
    both = side_by_side([backbone(), backbone("mobilenet_v2_035", (0.2, 0.4, 0.6))])
    net = both.with_head("linear", 64 + 1280, 2)
    spec = describe(net, both.name, both.preprocess.shape)
    Model(net, ("a", "b"), both.preprocess, spec).save(tmp_path / "both" / "model")
    for part in ("train", "val"):
        photos(tmp_path / "data" / part, each=3)
    settings = {"weights": str(tmp_path / "both"), "minutes": 2, "freeze": "backbone"}
    done = svertka.train(tmp_path / "data", out=tmp_path / "run", **settings)
    assert any("varied views" in r["rung"] for r in done.summary["ladder"])
    assert {r["backbone"] for r in done.summary["ladder"] if "head" in r["rung"]} == {both.name}
    assert (tmp_path / "run" / "map.npz").is_file()
