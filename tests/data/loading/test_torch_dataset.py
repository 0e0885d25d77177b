"""A plain PyTorch Dataset: usable in anybody's loop, the same whatever the loader around it."""

import pickle

import numpy as np
import pytest
import torch
from make_pictures import photos_twice
from torch.utils.data import DataLoader

import svertka as sv
from svertka.errors import UnknownName, UsageError

HOW = sv.data.Augment(rotate=20, shift=0.1, noise=0.1)


def test_a_plain_loop_of_ones_own_learns():
    train = sv.data.dataset("digits", size=8, fit="stretch", augment=sv.data.Augment(shift=0.1))
    held = sv.data.dataset("digits", size=8, fit="stretch", part="validation")
    assert train.class_indices == {str(k): k for k in range(10)}
    assert len(train) + len(held) == 1797
    assert not set(train.paths) & set(held.paths)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(4):
        for x, y in DataLoader(train, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
    right = torch.cat([net(x).argmax(1) == y for x, y in DataLoader(held, batch_size=100)])
    assert right.double().mean() > 0.85


def test_pictures_depend_on_seed_and_pass_and_not_on_the_loader():
    data = sv.data.dataset("digits", size=8, augment=HOW, seed=3)
    one = torch.stack([data[i][0] for i in range(30)])
    data.epoch = 0
    whole = next(iter(DataLoader(data, batch_size=30)))[0]
    assert torch.equal(one, whole)
    data.epoch = 0
    assert torch.equal(torch.cat([x for x, _ in DataLoader(data, batch_size=7)])[:30], whole)
    data.epoch = 0
    assert torch.equal(torch.stack([pickle.loads(pickle.dumps(data))[i][0] for i in range(30)]), whole)
    data.epoch = 1
    assert not torch.equal(data[0][0], one[0])


def test_workers_change_nothing():
    data = sv.data.dataset("digits", size=8, augment=HOW)
    passes = []
    for workers in (0, 2):
        data.epoch = 0
        loader = DataLoader(data, batch_size=512, num_workers=workers, persistent_workers=workers > 0)
        passes.append([torch.cat([x for x, _ in loader]) for _ in range(3)])
    assert all(torch.equal(alone, helped) for alone, helped in zip(*passes, strict=True))
    assert not any(torch.equal(passes[0][a], passes[0][b]) for a, b in ((0, 1), (1, 2), (0, 2)))
    assert data.epoch == 3


def test_a_pass_that_is_set_comes_again():
    data = sv.data.dataset("digits", size=8, augment=HOW)
    first, second = (torch.cat([x for x, _ in DataLoader(data, batch_size=512)]) for _ in range(2))
    data.epoch = 1
    assert torch.equal(torch.cat([x for x, _ in DataLoader(data, batch_size=300)]), second)
    assert torch.equal(data[[-1][0]][0], data[len(data) - 1][0]) is False  # taken twice: two passes of that picture
    data.epoch = 0
    assert torch.equal(torch.stack([x for x, _ in data.__getitems__([0, 5, 9])]), first[[0, 5, 9]])


def test_without_augmentation_x_is_the_normalized_picture():
    data = sv.data.dataset("digits", size=8)
    x, y = data[5]
    assert (x.shape, x.dtype, y) == ((1, 8, 8), torch.float32, int(data.labels[data.index[5]]))
    p = data.preprocess
    expected = (data.pixels[data.index[5]] / 255 - np.array(p.mean)) / np.array(p.std)
    assert np.allclose(x.permute(1, 2, 0), expected, atol=1e-5)
    with pytest.raises(IndexError):
        data[len(data)]


def test_copies_are_on_one_side(tmp_path):
    """Of each picture there is a smaller one, saved again: as in `svertka train`, both learn or both judge."""
    photos_twice(tmp_path / "set", each=20)
    parts = [sv.data.dataset(tmp_path / "set", size=64, part=part, share=0.4).paths for part in ("train", "validation")]
    flows = [
        sv.data.batches(tmp_path / "set", target_size=(64, 64), validation_split=0.4, subset=subset).filenames
        for subset in ("training", "validation")
    ]
    for learned, judging in (parts, flows):
        assert len(learned) + len(judging) == 80
        assert judging
        assert not {name[:4] for name in learned} & {name[:4] for name in judging}


def test_mistakes_are_sentences():
    with pytest.raises(UnknownName, match="Did you mean validation"):
        sv.data.dataset("digits", size=8, part="valdation")
    with pytest.raises(UsageError, match="Only the training part"):
        sv.data.dataset("digits", size=8, part="validation", augment=HOW)
    with pytest.raises(UsageError, match="one label a picture"):
        sv.data.dataset("digits", size=8, augment=sv.data.Augment(mixup=0.2))
