"""What training does on a GPU, as far as that can be seen without one.

PyTorch's `meta` device stands for the GPU: its tensors have a place and a shape and no numbers, so that whoever reads
one, or mixes them with tensors of the processor, fails. What is sent there is counted.
"""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.overrides import TorchFunctionMode

from svertka import Recipe, zoo
from svertka.data import Augment, Loader
from svertka.data.loading import device_pixels
from svertka.errors import NotFinite
from svertka.hardware.plan import Plan
from svertka.kinds.image import Preprocess
from svertka.records import Epoch, Note
from svertka.training import loop
from svertka.training.ema import Average

CLASSES = 4
EVERYTHING = Augment(
    flip_horizontal=True, shift=0.1, rotate=10, scale=0.1, random_erasing=0.2, untouched=0.1,
    flip_vertical=True, aspect=0.1, shear=3, crop=0.3,
    brightness=0.1, contrast=0.2, saturation=0.2, hue=10, blur=1, sharpen=1, noise=0.1, mixup=0.3, cutmix=0.4,
    trivial_augment=True,
)  # fmt: skip
SHORT = {"epochs": 3, "batch_size": 16, "learning_rate": 0.01, "weight_decay": 1e-3, "label_smoothing": 0.1}


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (64, 16, 16, 3), np.uint8)


def loader(pixels, augment, device="cpu", **how):
    n = len(pixels)
    return Loader(
        pixels, np.arange(n) % CLASSES, np.arange(n), Preprocess(16, 16, 3),
        **{"batch": 16, "seed": 0, "augment": augment, "even": True, "device": device, "classes": CLASSES} | how,
    )  # fmt: skip


class Waits(TorchFunctionMode):
    """Counts what makes the processor wait for the device: numbers made there, and copies that are waited for."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func is torch.tensor and result.is_meta:
            self.found.append(func)
        if func is torch.Tensor.to and result.is_meta and not args[0].is_meta and not kwargs.get("non_blocking"):
            self.found.append(func)
        return result


@pytest.mark.parametrize("optimizer", ["muon", "nesterov", "sgd", "adam", "adamw"])
@pytest.mark.parametrize("grow", [0.0, 0.9])
def test_a_step_on_a_device_waits_for_nothing(pixels, optimizer, grow):
    plan = Plan("meta")
    recipe = Recipe(
        **SHORT, optimizer=optimizer, momentum=0.9, ema_decay=0.9, lookahead=2, clip_grad_norm=1.0, grow=grow
    )
    with torch.device("meta"):
        net = zoo.make("small", (3, 16, 16), CLASSES)
    state = loop.begin(net, recipe, plan)
    state.learning_mode()
    train = loader(pixels, Augment(flip_horizontal=True, shift=0.1), "meta")
    steps_taken = 0
    with Waits() as waits:
        for number, batch in enumerate(train.epoch(0), 1):
            assert batch.x.is_meta
            if number > 2:  # the first ones fill what is kept
                assert waits.found == []
            x = loop.resized(batch.x, loop.size_at(recipe.grow or 0.0, state.step, 12))
            loop.step(state, batch._replace(x=x), recipe, plan)
            state.step, steps_taken = state.step + 1, steps_taken + 1
            if number == 1:
                waits.found.clear()
    assert steps_taken == 4


@pytest.mark.parametrize(
    "augment", [Augment(), Augment(flip_horizontal=True, shift=0.1, random_erasing=0.1), EVERYTHING]
)
@pytest.mark.parametrize("balanced", [False, True])
def test_batches_are_made_on_the_device_without_waiting(pixels, augment, balanced):
    train = loader(pixels, augment, "meta", balanced=balanced)
    with Waits() as waits:
        batches = train.epoch(0)
        next(batches)
        waits.found.clear()
        for batch in batches:
            assert batch.x.is_meta
            assert batch.y.is_meta
        assert waits.found == []


def test_pictures_are_on_a_device_once_for_all_loaders(pixels):
    one, two = (loader(pixels, Augment(), "meta") for _ in range(2))
    assert one.pixels is two.pixels
    assert loader(pixels.copy(), Augment(), "meta").pixels is not one.pixels


@pytest.mark.parametrize("augment", [Augment(), Augment(flip_horizontal=True, shift=0.1), EVERYTHING])
@pytest.mark.parametrize("how", [{}, {"balanced": True}, {"seed": None, "even": False}, {"rank": 1, "size": 3}])
def test_pictures_that_do_not_fit_are_sent_batch_by_batch_and_are_the_same(pixels, monkeypatch, augment, how):
    wanted = list(loader(pixels, augment, **how).epoch(1, start=1))
    monkeypatch.setattr("svertka.data.loading.loader._placed", lambda p, device: (device_pixels.Sent(p, device), None))
    sent = list(loader(pixels, augment, **how).epoch(1, start=1))
    assert len(sent) == len(wanted) > 0
    for one, other in zip(sent, wanted, strict=True):
        for field in ("x", "y", "index"):
            assert torch.equal(getattr(one, field), getattr(other, field)), field


def test_what_does_not_fit_stays_and_jpegs_always_do(pixels, monkeypatch):
    monkeypatch.setattr(device_pixels, "room", lambda _: 2.5 * pixels.nbytes)
    assert isinstance(loader(pixels, Augment(), "meta").pixels, torch.Tensor)
    more = np.concatenate([pixels] * 2)
    staying = loader(more, EVERYTHING, "meta")
    assert isinstance(staying.pixels, device_pixels.Sent)
    with Waits() as waits:
        batches = staying._batches(0, 0)
        next(batches)
        waits.found.clear()
        assert all(batch.x.is_meta and batch.y.is_meta for batch in batches)
        assert waits.found == []


# --- numbers read when a record is due ---


def trained(pixels, late, monkeypatch, **settings):
    monkeypatch.setattr(loop, "CHECKED_AT_ONCE", () if late else ("cpu",))
    torch.manual_seed(0)
    recipe = Recipe(**SHORT, optimizer="nesterov", momentum=0.9, **settings)
    state = loop.begin(zoo.make("small", (3, 16, 16), CLASSES), recipe, Plan())
    augment = Augment(flip_horizontal=True)
    return state, loop.fit(state, loader(pixels, augment), loader(pixels, augment, seed=None), recipe, Plan())


def told(record):
    return {k: v for k, v in dataclasses.asdict(record).items() if k != "seconds"}


@pytest.mark.parametrize("settings", [{}, {"ema_decay": 0.9, "accumulate": 4}])
def test_reading_late_changes_no_record_and_no_weight(pixels, monkeypatch, settings):
    state, records = trained(pixels, False, monkeypatch, **settings)
    wanted = [told(record) for record in records]
    late, records = trained(pixels, True, monkeypatch, **settings)
    found = []
    for record in records:
        assert late.pending == []  # the state is whole
        found.append(told(record))
    for one, other in zip(found, wanted, strict=True):
        assert one == pytest.approx(other, rel=1e-6)
    for one, other in zip(late.net.parameters(), state.net.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("at", [1, 3, 4])  # the last step of a pass is read before it is over
def test_a_lost_loss_is_noticed_later_and_training_goes_back(pixels, monkeypatch, at):
    state, records = trained(pixels, True, monkeypatch, rescue=1)
    really, calls = torch.nn.functional.cross_entropy, []

    def spoilt(logits, *args, **kwargs):
        calls.append(1)
        return really(logits, *args, **kwargs) * (float("nan") if len(calls) == at else 1.0)

    monkeypatch.setattr(loop.F, "cross_entropy", spoilt)
    found = list(records)
    (note,) = [r for r in found if isinstance(r, Note)]
    assert f"became nan at step {at}; it was read after the step had been taken. Training went back" in note.text
    assert len(note.pictures) == 16
    assert [r.epoch for r in found if isinstance(r, Epoch)] == [1, 2, 3]
    assert all(p.isfinite().all() for p in state.net.parameters())


def test_a_lost_loss_ends_training_where_nothing_may_be_rescued(pixels, monkeypatch):
    state, records = trained(pixels, True, monkeypatch, rescue=0)
    with torch.no_grad():
        next(state.net.parameters()).fill_(float("nan"))
    with pytest.raises(NotFinite, match="became nan at step 1;"):
        list(records)


def test_the_average_is_that_of_torch(pixels):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    ours, theirs = Average(net, 0.9), AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    for _ in range(4):
        net(torch.randn(2, 3, 5, 5))
        with torch.no_grad():
            net[0].weight.add_(0.1)
        for average in (ours, theirs):
            average.update_parameters(net)
    for (name, one), (_, other) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
        assert torch.equal(one, other), name
    assert copy.deepcopy(ours).state_dict().keys() == theirs.state_dict().keys()
