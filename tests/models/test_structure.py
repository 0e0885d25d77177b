"""A network as data: what is built from it is the network that was saved, without the zoo's help."""

import copy
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from make_structures import PLACE, answer
from torch import nn

from svertka import notation, zoo
from svertka.blocks import SAVED, Ensemble, put_head, put_netvlad, put_stages, saved_as, saved_class_of
from svertka.errors import RunError, UsageError
from svertka.kinds.image import Preprocess
from svertka.models import Model, build, describe, outline, rebuild
from svertka.models.structure import find_saved_class
from svertka.zoo.weights.rename_tensors import load_state

KEPT = json.loads(PLACE.read_text(encoding="utf-8"))
NAMES = PLACE.with_name("saved_names.txt").read_text(encoding="utf-8").split()
CLASSES = 5
LINES = (
    "conv3-8s2 bn lrelu0.2 res(dw3 bn relu6 conv1-8 bn) cat(conv1-4 | minpool3s1p1 conv3-4) gmp fc7 silu dropout0.2 fc",
    "conv5-6v tanh avgpool2 sumpool2 lrn5 elu gelu hardswish sigmoid softmax conv4-6 flatten fc",
    "pool2s3same conv2-4s1same avgpool3s2c gap fc",
)


def by_json(told):
    return json.loads(json.dumps(told, allow_nan=False))


def assert_same(one, other, place="net"):
    """Whether two networks are made of the same modules with the same settings and shapes of tensors, in order."""
    assert type(one) is type(other), place
    for field in ("_parameters", "_buffers"):
        here, there = (
            {k: v is not None and (v.shape, v.dtype) for k, v in getattr(m, field).items()} for m in (one, other)
        )
        assert list(here.items()) == list(there.items()), place
    settings = [{k: v for k, v in vars(m).items() if not isinstance(v, nn.Module | dict | set)} for m in (one, other)]
    assert settings[0] == settings[1], place
    parts = [list(m.named_children()) for m in (one, other)]
    assert [name for name, _ in parts[0]] == [name for name, _ in parts[1]], place
    for (name, a), (_, b) in zip(*parts, strict=True):
        assert_same(a, b, f"{place}.{name}")


def again(net):
    """The same network through JSON, without storage."""
    with zoo.without_storage():
        return rebuild(by_json(outline(net))).train(net.training)


@pytest.mark.parametrize("name", list(zoo.variants()))
def test_every_network_of_the_registry_is_its_structure(name):
    row = zoo.variant(name)
    net = zoo.empty_net(name, classes=CLASSES, **row.fitted([row.size] * row.dims))
    assert_same(again(net), net)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "efficientnet_b0", "convnext_tiny", "mobilenet_v3_small"])
def test_options_are_in_the_structure(name):
    options = {"mobilenet_v2": {"padding": "tensorflow", "eps": 1e-3, "width": 0.35}, "resnet50": {"zero_last": False}}
    net = zoo.empty_net(name, classes=CLASSES, channels=1, **options.get(name, {}))
    assert_same(again(net), net)
    if name not in options:
        net = zoo.empty_net(name, classes=CLASSES, drop_path=0.3) if "drop_path" in zoo.variant(name).options() else net
        assert_same(again(net), net)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("shape", [(3, 24, 24), (2, 40)])
def test_notation_is_its_structure(line, shape):
    net = notation.build(line, shape, CLASSES)
    assert_same(again(net), net)


def filled(net, copied):
    assert load_state(copied, {k: v.clone() for k, v in net.state_dict().items()}) == ()
    return copied.eval()


def assembled():
    """Networks as transfer puts them together."""
    torch.manual_seed(0)
    a, b = zoo.net("resnet20", classes=3).eval(), zoo.net("mobilenet_v2_035", classes=3).eval()
    specs = [describe(net, net.name, (3, 32, 32)) for net in (a, b)]
    plain = ((0.5,) * 3, (0.25,) * 3)
    both = Ensemble([copy.deepcopy(a), copy.deepcopy(b)], [plain, ((0.4,) * 3, (0.2,) * 3)], specs).eval()
    vlad = put_netvlad(copy.deepcopy(a), 64, 4)
    yield put_head(copy.deepcopy(a), "dense", 64, CLASSES, hidden=7)
    yield put_head(vlad, "linear", 256, CLASSES)
    near = put_head(both, "neighbors", 64 + 1280, CLASSES, count=30, k=3)
    near.head.remember(torch.randn(30, 64 + 1280), torch.arange(30) % CLASSES)
    yield near
    yield put_head(put_stages(copy.deepcopy(a), 2), "linear", 32 + 64, CLASSES)


def put_together():
    """The same, ready to be compared with models that were opened, which lie in memory so."""
    return [net.eval().to(memory_format=torch.channels_last) for net in assembled()]


@pytest.mark.parametrize("which", range(4))
def test_networks_put_together_answer_the_same(which, tmp_path):
    net = put_together()[which]
    assert_same(again(net), net)
    spec = describe(net, "net", (3, 32, 32))
    Model(net, tuple("abcde"), Preprocess(32, 32, 3), spec).save(tmp_path)
    loaded = Model.load(tmp_path)
    x = torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(loaded.net(x), net(x))
    assert describe(loaded.net, "net", (3, 32, 32)) == spec


@pytest.mark.parametrize(
    "name",
    ["lenet", "oneconv", "small", "medium", "googlenet", "squeezenet1_1", "resnet18", "resnet20", "mobilenet_v1_025",
     "mobilenet_v2_035", "mobilenet_v3_small", "fcn1d", "resnet1d", "inceptiontime"],
)  # fmt: skip
def test_predictions_are_equal_to_the_bit(name):
    assert_answers_alike(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(zoo.variants()))
def test_predictions_of_every_network_are_equal_to_the_bit(name):
    assert_answers_alike(name)


def assert_answers_alike(name):
    row, (least, dims) = zoo.variant(name), (zoo.variant(name).least, zoo.variant(name).dims)
    torch.manual_seed(1)
    net = zoo.net(name, classes=CLASSES, **row.fitted([least] * dims))
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):  # not at their beginning, where epsilon hardly shows
            layer.running_var.uniform_(0.001, 1)
    twin = filled(net, again(net))
    x = torch.randn(2, row.channels, *[least] * dims)
    with torch.inference_mode():
        assert torch.equal(twin(x), net.eval()(x))
        if name != "oneconv":
            for made in (net, twin):
                torch.manual_seed(2)
                made.train()
            torch.manual_seed(2)
            here = net.outputs(x)
            torch.manual_seed(2)
            assert all(map(torch.equal, here, twin.outputs(x)))


def test_a_model_is_opened_without_the_zoo_knowing_its_network(tmp_path, monkeypatch):
    torch.manual_seed(0)
    net = zoo.make("small", (3, 20, 20), 4).eval()
    Model(net, tuple("abcd"), Preprocess(20, 20, 3), describe(net, "small", (3, 20, 20))).save(tmp_path)
    monkeypatch.setattr("svertka.zoo.factory.variants", dict)
    loaded = Model.load(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 20, 20, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = net(loaded.preprocess.normalize(pixels)).softmax(1)
    assert torch.equal(loaded.probabilities(pixels), expected)
    assert (loaded.net.name, loaded.net.least) == ("small", 8)


def as_format_1(folder, **changes):
    """What the same model was before structures were kept."""
    facts = json.loads((folder / "model.json").read_text())
    del facts["structure"]
    facts["format"] = 1
    facts["network"] |= changes
    (folder / "model.json").write_text(json.dumps(facts))


def test_models_of_format_1_are_built_by_name(tmp_path):
    for net in put_together():
        spec = describe(net, "resnet20" if "together" not in describe(net, "", (3, 32, 32)) else "both", (3, 32, 32))
        Model(net, tuple("abcde"), Preprocess(32, 32, 3), spec).save(tmp_path)
        as_format_1(tmp_path)
        x = torch.randn(2, 3, 32, 32)
        with torch.inference_mode():
            assert torch.equal(Model.load(tmp_path).net(x), net(x))


@pytest.mark.parametrize("name", ["medium", "conv3-8 relu gap fc", "gone"])
def test_a_model_of_format_1_whose_network_has_changed_says_so(tmp_path, name):
    net = zoo.make("small", (3, 20, 20), 4)
    Model(net, tuple("abcd"), Preprocess(20, 20, 3), describe(net, "small", (3, 20, 20))).save(tmp_path)
    as_format_1(tmp_path, name=name)
    with pytest.raises(RunError, match=f"written by an earlier svertka, whose network '{name}' was not today's"):
        Model.load(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda s: s.update(kind="os.system"), "of kind 'os.system', which this version of svertka does not know"),
        (lambda s: s.update(kind="Sequential"), "it has no least, name"),
        (lambda s: s.update(forward="x"), "has no forward"),
        (lambda s: s["parts"]["head"].update(out_features=9), "gives 9 numbers and there are 4 classes"),
        (lambda s: s["parts"]["head"].update(in_features=9), "head.weight is 4x128 in the weights and 4x9"),
        (lambda s: s["parts"]["head"].update(in_features="many"), "cannot be built from"),
        (lambda s: s["parts"]["head"].update(size=3), "cannot be built from"),
        (lambda s: s["parts"].update(head=[]), "of kind None"),
        (lambda s: s.update(parts={}), "of a part .Net., not of a whole network"),
    ],
)
def test_a_damaged_structure_is_refused_in_a_sentence(tmp_path, spoil, says):
    net = zoo.make("small", (3, 20, 20), 4)
    Model(net, tuple("abcd"), Preprocess(20, 20, 3), describe(net, "small", (3, 20, 20))).save(tmp_path)
    facts = json.loads((tmp_path / "model.json").read_text())
    spoil(facts["structure"])
    (tmp_path / "model.json").write_text(json.dumps(facts))
    with pytest.raises(RunError, match=says) as caught:
        Model.load(tmp_path)
    assert "model.json" in str(caught.value)


def test_a_network_of_strange_parts_is_not_saved(tmp_path):
    net = zoo.make("lenet", (1, 28, 28), 4)
    net.head = nn.Sequential(nn.Linear(784, 4), nn.Softplus())
    with pytest.raises(UsageError, match=r"with a Softplus \(torch.nn.modules.activation\) cannot be saved"):
        Model(net, tuple("abcd"), Preprocess(28, 28, 1), describe(net, "lenet", (1, 28, 28))).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_the_names_that_files_have_are_all_known_and_there_is_no_other():
    """A name is for ever: a new one is added to the list, none is ever taken away."""
    for name in NAMES:
        assert find_saved_class(name) is not None, name
    assert set(SAVED) == set(NAMES)
    for name, kind in SAVED.items():
        assert saved_class_of(kind.made.__new__(kind.made)).name == name


def test_a_kind_is_found_in_its_family_alone():
    program = """
import sys
from svertka.models.structure import find_saved_class
assert find_saved_class("densenet.Layer").made.__module__ == "svertka.zoo.image.densenet"
print([name for name in sys.modules if name.startswith("svertka.zoo.image.")])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['svertka.zoo.image.densenet']"


def test_no_two_classes_have_one_name():
    with pytest.raises(ValueError, match=r"saved as resnet\.Basic: Basic and Linear"):
        saved_as("resnet.Basic")(nn.Linear)


def test_a_structure_is_read_by_people(tmp_path):
    net = zoo.make("small", (3, 32, 32), 10)
    Model(net, tuple("abcdefghij"), Preprocess(32, 32, 3), describe(net, "small", (3, 32, 32))).save(tmp_path)
    text = (tmp_path / "model.json").read_text()
    assert '"act": {"kind": "ReLU", "inplace": true}' in text
    assert '"pool": {"kind": "AdaptiveMaxPool2d", "output_size": 1}' in text
    assert max(map(len, text.splitlines())) <= 160
    assert isinstance(build(json.loads(text)["network"], 10, json.loads(text)["structure"]), type(net))


@pytest.mark.parametrize("name", list(KEPT))
def test_what_was_saved_once_computes_the_same_for_ever(name):
    """A failure means that models which people have trained would answer otherwise: make a new kind instead."""
    kept = KEPT[name]
    found = answer(rebuild(kept["structure"]), tuple(kept["shape"]))
    assert found == pytest.approx(kept["answer"], rel=1e-4, abs=1e-4)
    assert max(map(abs, found)) > 0.01
