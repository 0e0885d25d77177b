"""Real published weights in our networks: a Keras MobileNet v2, and four ResNets on CIFAR-10 test pictures.

The files are the shared ones (SVERTKA_DATA); what they must give was measured by the libraries they come
from, or is measured here by plain functions that share nothing with the package.
"""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from svertka import zoo
from svertka.zoo.weights.read_tensors import read_tensors
from svertka.zoo.weights.rename_tensors import load_state

pytestmark = pytest.mark.shared
CIFAR_FILES = {20: "12fca82f", 32: "d509ac18", 44: "014dd654", 56: "4bfd9763"}


def keras_mobilenet(shared, **settings):
    net = zoo.net("mobilenet_v2_035", **settings).eval()
    tensors = read_tensors(shared / "weights/mobilenetv2_035_imagenet_notop.npz")
    left = load_state(net, tensors, zoo.variant(net.name).renames["keras"], drop_head=True)
    assert {name for name in left if "num_batches" not in name} == {"head.linear.weight", "head.linear.bias"}
    return net


def synthetic_picture():
    rows, columns, channels = np.meshgrid(range(224), range(224), range(3), indexing="ij")
    pixels = (rows * 7 + columns * 13 + channels * 29) % 256
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1  # (1, 3, 224, 224)


@torch.no_grad()
def test_keras_weights_give_the_features_that_keras_gives(shared):
    golden = json.loads((shared / "golden/weights.json").read_text())["mobilenetv2_035_features"]
    settings = zoo.variant("mobilenet_v2_035").settings["keras"]
    features = keras_mobilenet(shared, **settings).embed(synthetic_picture())[0]
    np.testing.assert_allclose(features[:16], golden["first"], rtol=1e-4, atol=1e-5)
    assert features.sum().item() == pytest.approx(golden["sum"], rel=1e-5)
    assert (features > 0).sum() == golden["nonzero"]


@torch.no_grad()
@pytest.mark.parametrize("wrong", [{"padding": "symmetric", "eps": 1e-3}, {"padding": "tensorflow", "eps": 1e-5}])
def test_keras_weights_need_both_settings(shared, wrong):
    golden = json.loads((shared / "golden/weights.json").read_text())["mobilenetv2_035_features"]
    features = keras_mobilenet(shared, **wrong).embed(synthetic_picture())[0]
    assert not np.allclose(features[:16], golden["first"], rtol=1e-2, atol=1e-2)


def cifar_weights(shared, depth):
    member = f"pretrained_models/resnet{depth}-{CIFAR_FILES[depth]}.th"
    return read_tensors(shared / "weights/cifar_resnets.zip" / member)


def cifar_pictures(shared, per_class):
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with zipfile.ZipFile(shared / "data/cifar10.zip") as archive:
        names = sorted(n for n in archive.namelist() if "test/" in n and n.endswith(".jpg"))
        classes = sorted({n.split("/")[-2] for n in names})
        names = [n for c in classes for n in [n for n in names if n.split("/")[-2] == c][:per_class]]
        pixels = np.stack([np.asarray(Image.open(io.BytesIO(archive.read(n)))) for n in names])
    labels = torch.tensor([classes.index(n.split("/")[-2]) for n in names])
    x = (torch.from_numpy(pixels) / 255 - mean) / std  # (n, 32, 32, 3)
    return x.permute(0, 3, 1, 2), labels  # in memory still channels-last


@torch.no_grad()
def predict(forward, x):
    return torch.cat([forward(batch).argmax(1) for batch in x.split(500)])


def plain_resnet(weights, x):
    """The network of section 4.2 as functions over the file's own names."""

    def norm(x, name):
        stats = [weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *stats)

    def conv(x, name, stride=1):
        return F.conv2d(x, weights[f"{name}.weight"], stride=stride, padding=1)

    y = F.relu(norm(conv(x, "conv1"), "bn1"))
    for layer in (1, 2, 3):
        for block in range(sum(f"layer{layer}." in name and "conv1" in name for name in weights)):
            stride = 2 if layer > 1 and block == 0 else 1
            at = f"layer{layer}.{block}."
            z = F.relu(norm(conv(y, at + "conv1", stride), at + "bn1"))
            z = norm(conv(z, at + "conv2"), at + "bn2")
            if stride == 2:
                zeros = torch.zeros(len(y), y.shape[1] // 2, *z.shape[2:])
                y = torch.cat([zeros, y[:, :, ::2, ::2], zeros], 1)
            y = F.relu(z + y)
    return F.linear(y.mean((2, 3)), weights["linear.weight"], weights["linear.bias"])


def cifar_net(shared, depth):
    net = zoo.empty_net(f"resnet{depth}")
    load_state(net, cifar_weights(shared, depth), zoo.variant(net.name).renames["akamaster"])
    return net.eval().to(memory_format=torch.channels_last)


def test_resnet20_sees_what_plain_functions_see(shared):
    x, labels = cifar_pictures(shared, per_class=30)
    weights = cifar_weights(shared, 20)
    theirs = predict(lambda batch: plain_resnet(weights, batch), x)
    ours = predict(cifar_net(shared, 20), x)
    assert torch.equal(ours, theirs)
    assert (ours == labels).float().mean() > 0.75


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "percent"), [(20, 81.03), (32, 82.56), (44, 82.67), (56, 83.20)])
def test_accuracy_on_all_test_pictures(shared, depth, percent):
    x, labels = cifar_pictures(shared, per_class=1000)
    assert len(x) == 10_000
    right = (predict(cifar_net(shared, depth), x) == labels).sum().item()
    assert abs(right - 100 * percent) <= 5
