"""`sv.net(name, weights=...)`: the same arithmetic as the weights had elsewhere, and a fresh head never in silence."""

import warnings

import pytest
import torch

import svertka as sv
from svertka import zoo
from svertka.errors import UnknownName, UsageError, WeightsError
from svertka.zoo.weights import catalog


@pytest.fixture
def teacher():
    torch.manual_seed(1)
    return zoo.fresh_net("squeezenet1_0", classes=5).eval()


@pytest.fixture
def file(tmp_path, teacher):
    torch.save(teacher.state_dict(), tmp_path / "own.pth")
    return tmp_path / "own.pth"


def test_weights_of_the_same_number_of_classes_answer_the_same_and_nothing_is_said(file, teacher):
    x = torch.randn(2, 3, 64, 64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = sv.net("squeezenet1_0", classes=5, weights=file)
    assert net.training
    assert torch.equal(net.eval()(x), teacher(x))


def test_of_another_number_the_head_is_fresh_and_it_says_so(file, teacher):
    with pytest.warns(
        UserWarning, match=r"head of this squeezenet1_0 is fresh: .*own\.pth .* classes than 2"
    ) as caught:
        net = sv.net("squeezenet1_0", classes=2, weights=str(file))
    assert caught[0].filename == __file__
    x = torch.randn(1, 3, 64, 64)
    assert net(x).shape == (1, 2)
    assert torch.equal(net.eval().features(x), teacher.features(x))
    assert not any(p.is_meta for p in net.parameters())


def test_where_no_number_is_named_another_one_is_refused(file):
    with pytest.raises(WeightsError, match="is 5x512x1x1 in the weights and 1000x512x1x1 in the network"):
        sv.net("squeezenet1_0", weights=file)


def test_imagenet_and_names_of_the_catalog(tmp_path, monkeypatch):
    torch.manual_seed(1)
    teacher = zoo.fresh_net("squeezenet1_0").eval()
    torch.save(teacher.state_dict(), tmp_path / "own.pth")
    row = catalog.Published(
        "squeezenet1_0.own", "squeezenet1_0", "torchvision", "https://nowhere.invalid/own.pth", "",
        None, None, 224, 256, "bilinear", *catalog.RANGES["imagenet"],
    )  # fmt: skip
    monkeypatch.setattr(catalog, "catalog", lambda: (row,))
    monkeypatch.setenv("SVERTKA_WEIGHTS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imagenet").mkdir()  # a data set that lies here is not meant
    for what in ("imagenet", "squeezenet1_0.own"):
        x = torch.randn(1, 3, 64, 64)
        assert torch.equal(sv.net("squeezenet1_0", weights=what).eval()(x), teacher(x))


def test_options_go_to_the_family_and_unknown_ones_are_refused(file):
    with pytest.raises(UnknownName, match="no option of squeezenet1_0 called 'widht'"):
        sv.net("squeezenet1_0", weights=file, widht=2)
    with pytest.raises(UnknownName, match="no network called 'squeezenet'"):
        sv.net("squeezenet", weights=file)
    torch.manual_seed(1)
    state = zoo.fresh_net("resnet20", classes=4).state_dict()
    torch.save(state, file)
    net = sv.net("resnet20", classes=4, weights=file, zero_last=False)
    assert net.options == {"zero_last": False}
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())


def test_other_channels_and_folders_are_refused_with_what_would_work(file, tmp_path):
    with pytest.raises(WeightsError, match=r"stem\.0\.weight is 96x3x7x7 in the weights and 96x1x7x7 in the network"):
        sv.net("squeezenet1_0", classes=5, channels=1, weights=file)
    with pytest.raises(UsageError, match=r"is a folder: of a run, the network is sv\.Model\.load\('.*'\)\.net"):
        sv.net("squeezenet1_0", weights=tmp_path)


def test_no_weights_are_fresh_ones_from_the_generator():
    torch.manual_seed(3)
    one = sv.net("lenet", classes=4, channels=1).state_dict()
    torch.manual_seed(3)
    other = zoo.fresh_net("lenet", classes=4, channels=1).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in other)


@pytest.mark.shared
def test_real_weights_with_another_head(shared):
    file = shared / "weights" / "squeezenet1_0_imagenet_deepcomp.npz"
    real = sv.net("squeezenet1_0", weights=file).eval()
    with pytest.warns(UserWarning, match="head of this squeezenet1_0 is fresh"):
        net = sv.net("squeezenet1_0", classes=3, weights=file).eval()
    x = torch.randn(1, 3, 224, 224)
    assert torch.equal(net.features(x), real.features(x))
