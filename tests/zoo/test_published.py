"""Parameters and multiply-adds against published figures; shapes and wiring against the papers' figures."""

import pytest
import torch
from torch import nn

from svertka import zoo
from svertka.zoo.weights.rename_tensors import rename

# name: (parameters, 10^9 multiply-adds at the published size), from torchvision's documentation ("GFLOPS"
# there counts multiply-adds); GoogLeNet and Inception v3 without auxiliary heads; ZFNet from the layer sizes
# that the paper states.
PUBLISHED = {
    "alexnet": (61_100_840, 0.71),
    "zfnet": (107_627_624, None),
    "zfnet_fig3": (62_357_608, None),
    "vgg11": (132_863_336, 7.61),
    "vgg11_bn": (132_868_840, 7.61),
    "vgg13": (133_047_848, 11.31),
    "vgg13_bn": (133_053_736, 11.31),
    "vgg16": (138_357_544, 15.47),
    "vgg16_bn": (138_365_992, 15.47),
    "vgg19": (143_667_240, 19.63),
    "vgg19_bn": (143_678_248, 19.63),
    "googlenet": (6_624_904, 1.50),
    "inception_v3": (23_834_568, 5.71),
    "squeezenet1_0": (1_248_424, 0.82),
    "squeezenet1_1": (1_235_496, 0.35),
    "densenet121": (7_978_856, 2.83),
    "densenet161": (28_681_000, 7.73),
    "densenet169": (14_149_480, 3.36),
    "densenet201": (20_013_928, 4.29),
}
HEADS = {"googlenet": 13_004_888, "inception_v3": 27_161_264}  # with auxiliary heads, ibid.


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def hollow(name, **options):
    return zoo.empty_net(name, **options).eval()


def watch(net, kinds, side):
    """Run a network once; every layer of these kinds with the shape of what it gave."""
    seen = []
    hooks = [
        m.register_forward_hook(lambda m, _, y: seen.append((m, tuple(y.shape))))
        for m in net.modules()
        if isinstance(m, kinds)
    ]
    net(torch.empty(1, 3, side, side, device="meta"))
    for hook in hooks:
        hook.remove()
    return seen


def multiply_adds(net, side):
    """Every output number of a layer takes as many multiply-adds as one filter has weights."""
    layers = watch(net, (nn.Conv2d, nn.Linear), side)
    return sum(torch.Size(shape).numel() * m.weight[0].numel() for m, shape in layers)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures(name):
    count, billions = PUBLISHED[name]
    net = hollow(name, **({"aux": False} if name in HEADS else {}))
    assert parameters(net) == count
    if billions:
        assert multiply_adds(net, zoo.variant(name).size) / 1e9 == pytest.approx(billions, abs=0.0051)


@pytest.mark.parametrize("name", HEADS)
def test_auxiliary_heads_count_when_they_are_there(name):
    assert parameters(hollow(name)) == HEADS[name]


def test_the_least_size_is_really_the_least():
    for name in PUBLISHED:
        net, least = hollow(name), zoo.variant(name).least
        smaller = torch.empty(1, 3, least - 1, least - 1, device="meta")
        with pytest.raises(RuntimeError, match=r"too small|greater than actual input size"):
            net.pool(net.stages(net.stem(smaller)))


def test_zfnet_has_the_sizes_of_figure_3():
    layers = watch(hollow("zfnet"), (nn.Conv2d, nn.MaxPool2d), 224)
    assert [shape[2] for _, shape in layers] == [110, 55, 26, 13, 13, 13, 13, 6]
    convs = [(m.out_channels, m.kernel_size[0], m.stride[0]) for m, _ in layers if isinstance(m, nn.Conv2d)]
    assert convs == [(96, 7, 2), (256, 5, 2), (512, 3, 1), (1024, 3, 1), (512, 3, 1)]


def test_zfnet_normalizes_contrast_as_krizhevsky_writes_it():
    norm = next(m for m in zoo.empty_net("zfnet").modules() if isinstance(m, nn.LocalResponseNorm))
    a = 30 * torch.randn(1, 8, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for i in range(8):
        squares = sum(a[0, j, 0, 0] ** 2 for j in range(max(0, i - 2), min(8, i + 3)))
        torch.testing.assert_close(norm(a)[0, i, 0, 0], a[0, i, 0, 0] / (2 + 1e-4 * squares) ** 0.75)


def test_inception_maps_have_the_sizes_of_table_1():
    net = hollow("inception_v3")
    x = torch.empty(1, 3, 299, 299, device="meta")
    shapes = []
    for part in (net.stem, *net.stages):
        x = part(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(192, 35, 35), (288, 35, 35), (768, 17, 17), (2048, 8, 8)]


@pytest.mark.parametrize(("name", "blocks"), [("googlenet", "ad"), ("inception_v3", "e")])
def test_auxiliary_heads_look_at_the_middle(name, blocks):
    torch.manual_seed(0)
    net = zoo.net(name, classes=4).eval()
    net.training = True  # the network itself trains, its layers do not: no dropout, fixed norms
    x = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        logits, *aside = net.outputs(x)
        torch.testing.assert_close(logits, net(x))
        y = net.stages[0](net.stem(x))
        expected = []
        for block, layer in net.stages[1].named_children():
            y = layer(y)
            if block in blocks:
                expected.append(net.aux[block](y))
    assert len(aside) == len(blocks)
    torch.testing.assert_close(aside, expected)


def test_auxiliary_heads_can_be_left_out():
    net = zoo.net("googlenet", classes=4, aux=False).train()
    assert len(net.outputs(torch.randn(2, 3, 32, 32))) == 1


def test_inception_pools_for_its_auxiliary_head_as_published_where_it_can():
    pool = zoo.empty_net("inception_v3").aux["e"][0]
    x = torch.randn(1, 2, 17, 17)
    torch.testing.assert_close(pool(x)[..., 1, 2], x[..., 3:8, 6:11].mean((2, 3)))
    assert pool(torch.randn(1, 2, 3, 4)).shape == (1, 2, 5, 5)


def test_squeezenet_scores_every_place_and_averages_what_survives():
    torch.manual_seed(0)
    net = zoo.net("squeezenet1_1", classes=3).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        maps = net.features(x)
        conv = net.head[1]
        scores = torch.einsum("nchw,kc->nkhw", maps, conv.weight[:, :, 0, 0]) + conv.bias[:, None, None]
        torch.testing.assert_close(net(x), scores.clamp(min=0).mean((2, 3)))
        torch.testing.assert_close(net.embed(x), maps.mean((2, 3)))


def test_a_dense_layer_keeps_what_was_there():
    torch.manual_seed(0)
    layer = zoo.net("densenet121").stages[0].layer1.eval()
    x = torch.randn(1, 64, 5, 5)
    assert torch.equal(layer(x)[:, :64], x)
    assert layer(x).shape == (1, 96, 5, 5)


def test_older_names_of_published_densenets():
    rules = zoo.variant("densenet121").renames["torchvision"]
    old, new = (f"features.denseblock2.denselayer7.{kind}" for kind in ("norm.1.weight", "norm1.weight"))
    assert rename(old, rules) == rename(new, rules) == "stages.1.layer7.norm1.weight"


@pytest.mark.parametrize("name", ["vgg16", "zfnet_fig3"])
def test_a_fresh_deep_network_passes_on_what_it_gets(name):
    torch.manual_seed(0)
    net = zoo.net(name).eval()
    with torch.no_grad():
        x = torch.randn(4, 3, 64, 64)
        assert 0.2 < net.features(x).std() < 5  # thirteen layers of N(0, 0.01) would leave 1e-9
        assert net(x).abs().max() < 1  # no class leads
