"""The measured first layer against its definition: patches without what they have in common."""

import numpy as np
import torch

from svertka import zoo
from svertka.blocks import Whitening, measure_whitening


def pictures(n=60, side=20):
    """Smooth random pictures: neighbors are nearly equal, as in photographs."""
    rng = np.random.default_rng(0)
    rough = torch.from_numpy(rng.normal(size=(n, 3, side // 4 + 2, side // 4 + 2))).float()
    smooth = torch.nn.functional.interpolate(rough, size=(side, side), mode="bicubic")
    return smooth + 0.1 * torch.from_numpy(rng.normal(size=smooth.shape)).float()


def test_measured_filters_make_patches_white():
    x, layer = pictures(), Whitening(3, 2, 48)
    layer.measure(x)
    patches = []
    for top in range(0, 17, 2):  # the definition in loops: every patch of 4x4 with step 2
        for left in range(0, 17, 2):
            patches.append(x[:, :, top : top + 4, left : left + 4].flatten(1))
    patches = torch.cat(patches)  # (m, 48)
    answers = patches @ layer.weight.flatten(1).T  # (m, 96)
    second = answers[:, :48].T @ answers[:, :48] / len(answers)
    variances = torch.linalg.eigvalsh((patches.T @ patches / len(patches)).double()).flip(0)
    expected = torch.diag(variances / (variances + 5e-4)).float()
    assert torch.allclose(second, expected, atol=2e-3)
    assert torch.equal(answers[:, 48:], -answers[:, :48])


def test_the_strongest_components_come_first_and_size_is_halved():
    x, layer = pictures(), Whitening(3, 2, 12)
    layer.measure(x)
    norms = layer.weight[:12].flatten(1).norm(dim=1)  # the weaker a direction, the more it is enlarged
    assert (norms.diff() > 0).all()
    assert layer(x).shape == (60, 24, 10, 10)
    assert Whitening(1, 4, 99)(x[:, :1]).shape == (60, 128, 5, 5)  # a patch has no more than 64 components


def test_no_optimizer_sees_it_and_it_is_saved():
    net = zoo.make("medium", (3, 32, 32), 5)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    measure_whitening(net, pictures(side=32))
    changed = [k for k, v in net.state_dict().items() if not torch.equal(v, before[k])]
    assert changed == ["stem.conv.weight"]
    assert "stem.conv.weight" not in dict(net.named_parameters())
