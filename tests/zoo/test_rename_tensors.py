"""Weights find their place, or one sentence says why not."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from svertka import zoo
from svertka.blocks import Net
from svertka.errors import ShapeError, UnknownName, UsageError, WeightsError
from svertka.zoo.weights.rename_tensors import load_state, rename_all


def tiny(classes=5, width=4):
    torch.manual_seed(classes)
    stem = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width))
    return Net(stem, nn.Sequential(nn.ReLU()), nn.AdaptiveAvgPool2d(1), nn.Linear(width, classes))


def values(net):
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def empty(classes=5):
    with torch.device("meta"):
        return tiny(classes)


def test_names_are_translated_and_values_copied():
    net, given_ = tiny(), {f"module.{k}": v + 1 for k, v in values(tiny()).items()}
    assert load_state(net, given_, ((r"^module\.", ""),)) == ()
    assert all(torch.equal(v, given_[f"module.{k}"]) for k, v in net.state_dict().items())
    net.head.bias.data.zero_()
    assert given_["module.head.bias"].any()  # a copy


def test_an_empty_network_adopts_the_tensors():
    net, given_ = empty(), values(tiny())
    assert load_state(net, given_) == ()
    assert same(values(net), given_)
    assert net.head.weight.data_ptr() == given_["head.weight"].data_ptr()
    assert net.head.weight.requires_grad


def test_values_take_the_networks_dtype():
    net = tiny().double()
    load_state(net, {k: v.half() for k, v in values(tiny()).items()})
    assert net.head.weight.dtype == torch.float64


@pytest.mark.parametrize("make", [tiny, empty])
def test_a_missing_counter_is_no_fault(make):
    net, given_ = make(), values(tiny())
    del given_["stem.1.num_batches_tracked"]
    assert load_state(net, given_) == ("stem.1.num_batches_tracked",)
    assert net.stem[1].num_batches_tracked == 0
    assert torch.equal(net.stem[1].weight, given_["stem.1.weight"])


@given(st.sampled_from([k for k in tiny().state_dict() if not k.endswith("tracked")]))
def test_a_missing_tensor_is_named(name):
    net, given_ = tiny(), values(tiny())
    shape = "x".join(map(str, given_.pop(name).shape))
    with pytest.raises(WeightsError, match=rf"network: {name} \({shape}\) is missing from the weights"):
        load_state(net, given_)


def test_an_extra_tensor_is_named():
    with pytest.raises(WeightsError, match=r"layer9\.bias \(2x3\) has no place in the network"):
        load_state(tiny(), values(tiny()) | {"layer9.bias": torch.zeros(2, 3)})


def test_auxiliary_heads_of_the_source_are_left_out_when_the_network_has_none():
    assert load_state(tiny(), values(tiny()) | {"aux.1.weight": torch.zeros(2, 3)}) == ()


def test_another_network_is_told_by_the_first_tensors_and_left_as_it_was():
    net = tiny()
    before = values(net)
    with pytest.raises(WeightsError) as why:
        load_state(net, values(tiny(width=6)))
    assert str(why.value) == (
        "The weights are of another network: "
        "stem.0.weight is 6x3x3x3 in the weights and 4x3x3x3 in the network; "
        "stem.0.bias is 6 in the weights and 4 in the network; "
        "stem.1.weight is 6 in the weights and 4 in the network; and 4 more."
    )
    with pytest.raises(WeightsError):
        load_state(net, values(tiny(width=6)), drop_head=True)
    assert same(values(net), before)


def test_another_number_of_classes_says_what_helps():
    with pytest.raises(WeightsError, match=r"head\.weight is 9x4 .* Only the head differs: drop_head=True"):
        load_state(tiny(5), values(tiny(9)))


@pytest.mark.parametrize("make", [tiny, empty])
def test_a_differing_head_alone_can_be_dropped(make):
    net, given_ = make(5), values(tiny(9))
    assert load_state(net, given_, drop_head=True) == ("head.weight", "head.bias")
    assert torch.equal(net.stem[0].weight, given_["stem.0.weight"])
    assert net(torch.randn(2, 3, 8, 8)).shape == (2, 5)
    assert net.head.weight.isfinite().all()


def test_only_the_last_layer_of_a_deep_head_is_dropped():
    source, net = zoo.net("alexnet", classes=3), zoo.empty_net("alexnet", classes=4)
    assert load_state(net, source.state_dict(), drop_head=True) == ("head.6.weight", "head.6.bias")
    assert torch.equal(net.head[4].weight, source.head[4].weight)
    assert net(torch.zeros(1, 3, 63, 63)).shape == (1, 4)


def test_a_dropped_layer_goes_as_a_whole():
    given_ = values(tiny())
    given_["head.weight"] = torch.zeros(5, 99)
    assert load_state(tiny(), given_, drop_head=True) == ("head.weight", "head.bias")


def test_a_fitting_head_is_kept():
    net, given_ = tiny(5), {k: v + 1 for k, v in values(tiny(5)).items()}
    assert load_state(net, given_, drop_head=True) == ()
    assert torch.equal(net.head.weight, given_["head.weight"])


def test_two_tensors_of_one_name():
    with pytest.raises(WeightsError, match=r"hold a\.weight twice, as x\.a\.weight and as y\.a\.weight"):
        rename_all({"x.a.weight": torch.zeros(1), "y.a.weight": torch.zeros(1)}, ((r"^[xy]\.", ""),))


def test_googlenets_file_fits_with_and_without_auxiliary_heads():
    given_ = zoo.net("googlenet", classes=3).state_dict()
    assert load_state(zoo.empty_net("googlenet", classes=3), given_) == ()
    assert load_state(zoo.empty_net("googlenet", classes=3, aux=False), given_) == ()
    left = load_state(zoo.empty_net("googlenet", classes=4), given_, drop_head=True)
    assert {name.rpartition(".")[0] for name in left} == {"head.1", "aux.a.6", "aux.d.6"}


def test_wrong_calls_are_told_in_a_sentence():
    with pytest.raises(UnknownName, match=r"no network called 'vgg61'. Did you mean vgg1"):
        zoo.net("vgg61")
    with pytest.raises(UnknownName, match=r"no option of vgg16 called 'dropuot'. Did you mean dropout"):
        zoo.net("vgg16", dropuot=0.1)
    for wrong in ({"classes": 0}, {"channels": -1}):
        with pytest.raises(UsageError, match="vgg16 needs 1 class and 1 channel at least"):
            zoo.net("vgg16", **wrong)


def test_an_empty_network_takes_no_memory():
    assert all(t.is_meta for t in zoo.empty_net("vgg19").state_dict().values())


def test_a_network_for_inputs_of_one_shape_is_checked_before_it_is_used():
    assert zoo.make("lenet", (1, 20, 20), 3)(torch.zeros(1, 1, 20, 20)).shape == (1, 3)
    with pytest.raises(ShapeError, match="vgg11 takes inputs of 32 or more along each side, not 28x28"):
        zoo.make("vgg11", (3, 28, 28), 10)
    with pytest.raises(ShapeError, match="lenet takes inputs of 4 or more along each side, not 2"):
        zoo.make("lenet", (1, 2, 2), 10)
    with pytest.raises(ShapeError, match="lenet was built for inputs of 28x28, not 30x28"):
        zoo.make("lenet", (1, 30, 28), 10)
