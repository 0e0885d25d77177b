"""Weights: the catalog, reading files that may be hostile, and loading them into networks."""

import hashlib
import io
import json
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from svertka import zoo
from svertka.errors import UnknownName, WeightsError
from svertka.models import Model
from svertka.zoo.weights import catalog as weights
from svertka.zoo.weights.catalog import catalog, find, imagenet_classes, load_weights, locate, published
from svertka.zoo.weights.read_tensors import from_keras, read_tensors


@pytest.fixture
def tensors():
    torch.manual_seed(0)
    return {"conv.weight": torch.randn(3, 2, 3, 3), "conv.bias": torch.randn(3), "count": torch.tensor(7)}


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[k], wanted[k]) for k in wanted)


# The catalog


def test_every_row_of_the_catalog_is_whole():
    rows = catalog()
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert row.network in zoo.variants(), row
        assert row.library in zoo.variant(row.network).renames or row.library == "timm", row
        assert row.url.startswith("https://")
        assert set(row.sha256) <= set("0123456789abcdef")
        assert len(row.sha256) in (8, 64)
        assert row.sha256[:8] in row.file  # as torch.hub checks it
        assert row.size <= row.resize
        assert row.interpolation in ("bilinear", "bicubic")
        assert row.top1 is None or 50 < row.top1 < 90
        assert len(row.mean) == len(row.std) == 3


HALVES = ("wide_resnet50_2.tv", "wide_resnet101_2.tv")  # published in half precision


def test_sizes_of_files_are_those_of_the_networks_weights():
    """What torchvision says of its files against our count of the network: 4 bytes each and a little more."""
    nets = {row.network: zoo.empty_net(row.network) for row in catalog()}
    for row in catalog():
        each = 2 if row.name in HALVES else 4
        ours = sum(each * t.numel() for t in nets[row.network].state_dict().values()) / 2**20
        if row.mebibytes is not None:
            assert ours * 0.99 < row.mebibytes < ours * 1.01 + 0.5, (row.name, ours, row.mebibytes)


def test_a_network_name_means_its_best_and_a_wrong_name_says_what_is_near():
    assert find("resnet50").name == "resnet50.tv2"
    assert find("resnet50.tv").top1 == 76.13
    assert published("vgg16-397923af.pth") == published("vgg16") == find("vgg16.tv")
    assert published("own.pth") is None
    with pytest.raises(UnknownName, match=r"Did you mean resnet50\.tv"):
        find("resnet50.tv3")


def test_the_two_inceptions_see_pixels_between_minus_one_and_one():
    for name in ("googlenet", "inception_v3"):
        assert find(name).mean == find(name).std == (0.5, 0.5, 0.5)


def test_imagenet_classes(shared):
    rows = [line.split("\t") for line in (shared / "weights" / "imagenet_classes.txt").read_text().splitlines()]
    names = imagenet_classes()
    assert len(set(names)) == 1000
    assert all(ours in (theirs, f"{theirs} ({word})") for ours, (_, word, theirs) in zip(names, rows, strict=True))
    assert sum("(n0" in name for name in names) == 2  # the two cranes


# Reading


@pytest.mark.parametrize("nest", [(), ("state_dict",), ("model",), ("state_dict", "model")])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("suffix", ["pth", "pt", "th"])
def test_state_dicts_in_whatever_training_scripts_put_around_them(tmp_path, tensors, nest, prefix, suffix):
    state = OrderedDict((prefix + k, v) for k, v in tensors.items())
    for key in reversed(nest):
        state = {key: state, "epoch": 3, "best_prec1": 91.78}
    torch.save(state, tmp_path / f"w.{suffix}")
    assert_same(read_tensors(tmp_path / f"w.{suffix}"), tensors)


def test_old_pytorch_files_too(tmp_path, tensors):
    torch.save(tensors, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    assert_same(read_tensors(tmp_path / "w.pth"), tensors)


def test_safetensors_and_npz_and_members_of_archives(tmp_path, tensors):
    from safetensors.torch import save_file

    save_file(tensors, tmp_path / "w.safetensors")
    np.savez_compressed(tmp_path / "w.npz", **{k: v.numpy() for k, v in tensors.items()})
    torch.save(tensors, tmp_path / "w.pth")
    assert_same(read_tensors(tmp_path / "w.safetensors"), tensors)
    assert_same(read_tensors(str(tmp_path / "w.npz")), tensors)
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("w.safetensors", "w.npz", "w.pth"):
            archive.write(tmp_path / name, f"deep/{name}")
    for name in ("w.safetensors", "w.npz", "w.pth"):
        assert_same(read_tensors(tmp_path / "all.zip" / "deep" / name), tensors)
        assert_same(read_tensors(f"{tmp_path}/all.zip!deep/{name}"), tensors)
    with pytest.raises(WeightsError, match=r"all\.zip!no\.pth is not in the archive; there is deep/w\.safe"):
        read_tensors(tmp_path / "all.zip" / "no.pth")


@settings(deadline=None)
@given(h=st.integers(1, 3), w=st.integers(1, 3), c_in=st.integers(1, 3), c_out=st.integers(1, 3))
def test_keras_kernels_convolve_the_same_here(h, w, c_in, c_out):
    kernel = torch.randn(h, w, c_in, c_out, dtype=torch.float64)
    x = torch.randn(h, w, c_in, dtype=torch.float64)
    full = torch.einsum("hwi,hwio->o", x, kernel)  # one window of Keras' Conv2D
    ours = from_keras("conv/kernel", kernel)
    torch.testing.assert_close(nn.functional.conv2d(x.permute(2, 0, 1)[None], ours).flatten(), full)
    deep = torch.einsum("hwi,hwio->io", x, kernel)  # one window of DepthwiseConv2D, o times per channel
    ours = from_keras("conv/depthwise_kernel", kernel)
    own = nn.functional.conv2d(x.permute(2, 0, 1)[None], ours, groups=c_in)
    torch.testing.assert_close(own.flatten(), deep.flatten())
    assert torch.equal(from_keras("dense/kernel", kernel[0, 0]), kernel[0, 0].T)
    assert from_keras("conv/bias", kernel) is kernel
    assert from_keras("conv.kernel", kernel) is kernel


class Bomb:
    """Unpickling it calls print, as it could call anything."""

    def __reduce__(self):
        return (print, ("svertka ran foreign code",))


@pytest.mark.parametrize("nested", [False, True])
def test_no_code_of_a_file_ever_runs(tmp_path, capsys, nested):
    content = {"a": torch.zeros(2), "evil": Bomb()} if nested else Bomb()
    torch.save(content, tmp_path / "a.pth")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(content))
    np.savez(tmp_path / "c.npz", evil=np.array([Bomb()], dtype=object))
    for name in ("a.pth", "b.pt", "c.npz"):
        with pytest.raises(WeightsError) as error:
            read_tensors(tmp_path / name)
        assert name in str(error.value)
        assert "\n" not in str(error.value)
    assert capsys.readouterr().out == ""
    with pytest.raises(WeightsError, match="holds Python objects besides tensors, which svertka never loads"):
        read_tensors(tmp_path / "a.pth")


@pytest.mark.parametrize("suffix", ["pth", "npz", "safetensors"])
def test_a_file_cut_short_anywhere_is_one_sentence(tmp_path, tensors, suffix):
    from safetensors.torch import save_file

    whole, cut = tmp_path / f"w.{suffix}", tmp_path / f"cut.{suffix}"
    if suffix == "pth":
        torch.save(tensors, whole)
    elif suffix == "npz":
        np.savez(whole, **{k: v.numpy() for k, v in tensors.items()})
    else:
        save_file(tensors, whole)
    data = whole.read_bytes()
    for share in (0, 0.01, 0.3, 0.6, 0.9, 0.999):
        cut.write_bytes(data[: int(share * len(data))])
        with pytest.raises(WeightsError, match=rf"cut\.{suffix} cannot be read as weights: it is damaged or of"):
            read_tensors(cut)


def test_what_is_no_weights_says_so(tmp_path):
    (tmp_path / "w.txt").write_text("hello")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    torch.save({"a": torch.eye(2).to_sparse()}, tmp_path / "sparse.pth")
    torch.save({"a": torch.empty(2, device="meta")}, tmp_path / "meta.pth")
    np.savez(tmp_path / "text.npz", a=np.array(["x"]))
    for name, sentence in {
        "w.txt": "is no file of weights by its name; .safetensors, .npz",
        "gone.pth": "There is no file of weights at",
        "list.pth": "holds a list, not a state dict",
        "none.pth": "holds no tensors",
        "sparse.pth": "holds a in a form",
        "meta.pth": "holds a in a form",
        "text.npz": "damaged or of another kind",
    }.items():
        with pytest.raises(WeightsError, match=sentence):
            read_tensors(tmp_path / name)


def test_an_archive_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path, monkeypatch):
    from svertka.zoo.weights import read_tensors as module

    monkeypatch.setattr(module, "ROOMY", 1 << 20)
    np.savez_compressed(tmp_path / "w.npz", a=np.zeros(1 << 21, np.float32))
    with zipfile.ZipFile(tmp_path / "w.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.safetensors", bytes(1 << 23))
        archive.writestr("data.pkl", bytes(1 << 23))
    (tmp_path / "w.pth").write_bytes((tmp_path / "w.zip").read_bytes())
    for name in ("w.npz", "w.pth", "w.zip/w.safetensors"):
        with pytest.raises(WeightsError, match=r"would unpack to 0\.0 GiB from 0\.0 MiB"):
            read_tensors(tmp_path / name)


# Where files are looked for


def test_the_order_of_places(tmp_path, monkeypatch):
    cache, own, data = tmp_path / "cache", tmp_path / "own", tmp_path / "data"
    monkeypatch.setenv("SVERTKA_CACHE", str(cache))
    monkeypatch.setenv("SVERTKA_WEIGHTS", str(own))
    monkeypatch.setenv("SVERTKA_DATA", str(data))
    places = [tmp_path / "w.pth", cache / "weights" / "w.pth", own / "w.pth", data / "weights" / "w.pth"]
    for place in reversed(places):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"")
        assert locate("w.pth" if place != places[0] else place) == place
    monkeypatch.chdir(tmp_path)
    assert locate("w.pth") == Path("w.pth")
    assert locate("nowhere.pth") is None


# Loading


def row_of(path, network="squeezenet1_0"):
    """A row of a catalog whose file is on this machine."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return weights.Published(
        f"{network}.own", network, "torchvision", f"https://nowhere.invalid/{path.name}", digest,
        None, None, 224, 256, "bilinear", *weights.RANGES["imagenet"],
    )  # fmt: skip


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(1)
    state = zoo.net("squeezenet1_0", classes=5).state_dict()
    torch.save(state, tmp_path / "own.pth")
    return tmp_path / "own.pth"


def test_a_file_into_a_network_by_name_or_in_place(file):
    state = read_tensors(file)
    assert_same(load_weights("squeezenet1_0", file, classes=5).state_dict(), state)
    net = zoo.net("squeezenet1_0", classes=5)
    assert load_weights(net, str(file)) is net
    assert_same(net.state_dict(), state)


def test_none_means_fresh_ones():
    net = zoo.net("squeezenet1_0", classes=2)
    assert load_weights(net, None) is net
    torch.manual_seed(5)
    first = load_weights("squeezenet1_0", None, classes=2).state_dict()
    torch.manual_seed(5)
    assert_same(zoo.net("squeezenet1_0", classes=2).state_dict(), first)


def test_weights_of_another_network_or_class_count(file):
    with pytest.raises(WeightsError, match=r"own\.pth does not fit squeezenet1_1\. .* stem\.0\.weight is 96x3x7x7"):
        load_weights("squeezenet1_1", file, classes=5)
    with pytest.raises(WeightsError, match=r"head\.1\.weight is 5x512x1x1 in the weights and 2x512x1x1 in the net"):
        load_weights("squeezenet1_0", file, classes=2)
    net = load_weights("squeezenet1_0", file, classes=2, drop_head=True)
    assert torch.equal(net.stem[0].weight, read_tensors(file)["stem.0.weight"])
    assert net(torch.randn(1, 3, 64, 64)).shape == (1, 2)


def test_names_of_the_catalog(tmp_path, monkeypatch):
    torch.manual_seed(1)
    state = zoo.net("squeezenet1_0").state_dict()
    torch.save(state, tmp_path / "own.pth")
    row = row_of(tmp_path / "own.pth")
    monkeypatch.setattr(weights, "catalog", lambda: (row,))
    monkeypatch.setenv("SVERTKA_WEIGHTS", str(tmp_path))
    for what in ("squeezenet1_0.own", "squeezenet1_0", "imagenet", "own.pth"):
        assert_same(load_weights("squeezenet1_0", what).state_dict(), state)
    with pytest.raises(UnknownName, match="no set of published weights called 'squeezenet1_1'"):
        load_weights("squeezenet1_1", "imagenet")
    with pytest.raises(UnknownName, match="no set of published weights called 'nope'"):
        load_weights("squeezenet1_0", "nope")
    with pytest.raises(WeightsError, match=r"no file of weights at nope\.pth, and none is published under that name"):
        load_weights("squeezenet1_0", "nope.pth")
    (tmp_path / "own.pth").write_bytes(b"something else")
    with pytest.raises(WeightsError, match=r"own\.pth is not what was published; remove it, and it is fetched anew"):
        load_weights("squeezenet1_0", "imagenet")


# Real weights


def picture():
    """The synthetic picture of golden/weights.json: uint8 (224, 224, 3)."""
    row, column, channel = np.ogrid[:224, :224, :3]
    return ((row * 7 + column * 13 + channel * 29) % 256).astype(np.uint8)


def test_squeezenet_with_imagenet_weights_gives_the_golden_logits(shared):
    golden = json.loads((shared / "golden" / "weights.json").read_text())["squeezenet1_0_logits"]
    net = load_weights("squeezenet1_0", shared / "weights" / "squeezenet1_0_imagenet_deepcomp.npz").double().eval()
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in weights.RANGES["imagenet"])
    x = (torch.tensor(picture()).permute(2, 0, 1).double() / 255 - mean) / std
    with torch.inference_mode():
        y = net(x[None])[0]
    torch.testing.assert_close(y[:16].float(), torch.tensor(golden["first"]), rtol=1e-5, atol=1e-6)
    assert y.argsort(descending=True)[:5].tolist() == golden["top5"]


def test_mobilenet_with_keras_weights_gives_the_golden_features(shared):
    golden = json.loads((shared / "golden" / "weights.json").read_text())["mobilenetv2_035_features"]
    file = shared / "weights" / "mobilenetv2_035_imagenet_notop.npz"
    with pytest.raises(WeightsError, match="Only the head differs"):
        load_weights("mobilenet_v2_035", file)
    net = load_weights("mobilenet_v2_035", file, drop_head=True).eval()
    x = torch.tensor(picture()).permute(2, 0, 1).float() / 127.5 - 1
    with torch.inference_mode():
        y = net.embed(x[None])[0]
    torch.testing.assert_close(y[:16], torch.tensor(golden["first"]), rtol=1e-3, atol=1e-4)
    assert int((y > 0).sum()) == golden["nonzero"]
    assert float(y.sum()) == pytest.approx(golden["sum"], rel=1e-4)


def test_pictures_come_to_a_file_of_keras_as_keras_prepared_them(shared, tmp_path):
    with np.load(shared / "weights" / "mobilenetv2_035_imagenet_notop.npz") as arrays:
        top = {"predictions/kernel": np.zeros((1280, 1000), np.float32), "predictions/bias": np.zeros(1000, np.float32)}
        np.savez(tmp_path / "whole.npz", **arrays, **top)
    model = Model.published("mobilenet_v2_035", tmp_path / "whole.npz")
    assert model.preprocess.mean == model.preprocess.std == (0.5, 0.5, 0.5)  # pixels / 127.5 - 1


def as_published(data):
    """A photo as the catalog says: shorter side 256, middle 224, ImageNet's mean and deviation."""
    from PIL import Image

    image = Image.open(io.BytesIO(data)).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BILINEAR)
    left, top = ((side - 224) // 2 for side in image.size)
    pixels = torch.tensor(np.asarray(image.crop((left, top, left + 224, top + 224))))
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in weights.RANGES["imagenet"])
    return (pixels.permute(2, 0, 1) / 255 - mean) / std


@pytest.mark.parametrize(("folder", "label", "share"), [("ants", "ant, emmet, pismire", 0.57), ("bees", "bee", 0.67)])
def test_squeezenet_names_ants_and_bees(shared, folder, label, share):
    """Of the validation photos, so many are named right at first; the figures came with the data."""
    net = load_weights("squeezenet1_0", shared / "weights" / "squeezenet1_0_imagenet_deepcomp.npz").eval()
    with zipfile.ZipFile(shared / "data" / "hymenoptera.zip") as archive, torch.inference_mode():
        names = [n for n in archive.namelist() if f"val/{folder}/" in n and n.endswith(".jpg")]
        guesses = [int(net(as_published(archive.read(name))[None]).argmax()) for name in names]
    named = [imagenet_classes()[guess] == label for guess in guesses]
    assert sum(named) / len(named) == pytest.approx(share, abs=0.03)
