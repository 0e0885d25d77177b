"""Augmentation against definitions in loops, and random numbers that depend on their coordinates alone."""

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps
from scipy import ndimage, stats

from svertka.common.counter_rng import hash_there, mix, uniform
from svertka.data import Augment
from svertka.data.loading.loader import partners
from svertka.kinds.image.augment import augment, geometric
from svertka.kinds.image.augment.mixup_cutmix import beta, mix_pictures
from svertka.kinds.image.augment.trivial_augment import OPERATIONS


def pictures(n=12, h=9, w=7, c=3, seed=0):
    return torch.randint(0, 256, (n, h, w, c), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def splitmix(seed, epoch, sample, stream):
    """The same number in plain Python integers."""
    mask = (1 << 64) - 1
    h = (sample ^ (mix(seed, epoch, stream) << 1)) & mask
    h = (h + 0x9E3779B97F4A7C15) & mask
    h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & mask
    h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & mask
    h ^= h >> 31
    return (h >> 40) / (1 << 24)


@given(
    st.integers(0, 2**31 - 1),
    st.integers(0, 500),
    st.integers(0, 50),
    st.lists(st.integers(0, 2**40), min_size=1, max_size=9),
)
def test_uniform_equals_its_definition_in_integers(seed, epoch, stream, samples):
    ours = uniform(seed, epoch, torch.tensor(samples), stream)
    assert ours.tolist() == [splitmix(seed, epoch, s, stream) for s in samples]
    assert torch.equal(ours, hash_there(torch.tensor(samples), mix(seed, epoch, stream) << 1))


def test_uniform_is_uniform_and_streams_are_independent():
    samples = torch.arange(20_000)
    a, b = uniform(1, 2, samples, 3).numpy(), uniform(1, 2, samples, 4).numpy()
    assert stats.kstest(a, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03
    assert abs(np.corrcoef(a[:-1], a[1:])[0, 1]) < 0.03


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(12)), st.integers(1, 11))
def test_batch_and_order_change_nothing(order, cut):
    x, samples = pictures(), torch.arange(12) * 31
    how = Augment(flip_horizontal=True, shift=0.3, rotate=20, scale=0.2, random_erasing=0.5, untouched=0.2)
    whole = how(x, samples, seed=5, epoch=1)
    order = torch.tensor(order)
    parts = torch.cat([how(x[i], samples[i], seed=5, epoch=1) for i in (order[:cut], order[cut:])])
    assert torch.equal(parts, whole[order])


def test_shift_and_flip_equal_loops():
    x, samples = pictures(), torch.arange(12)
    y = Augment(flip_horizontal=True, flip_vertical=True, shift=0.3)(x, samples, seed=1, epoch=2)
    for n in range(12):
        mirror, upend = splitmix(1, 0, n, 1) < 0.5, splitmix(1, 2, n, 9) < 0.5
        down = round(float((np.float32(splitmix(1, 2, n, 2)) * 2 - 1) * np.float32(0.3) * 9))
        right = round(float((np.float32(splitmix(1, 2, n, 3)) * 2 - 1) * np.float32(0.3) * 7))
        for i in range(9):
            for j in range(7):
                row, col = min(max(i - down, 0), 8), min(max(j - right, 0), 6)
                assert torch.equal(y[n, i, j], x[n, 8 - row if upend else row, 6 - col if mirror else col])


def test_mirroring_alternates_from_pass_to_pass():
    x, samples = pictures(), torch.arange(12)
    passes = [Augment(flip_horizontal=True)(x, samples, seed=1, epoch=epoch) for epoch in range(4)]
    mirrored = [torch.tensor([not torch.equal(a, b) for a, b in zip(x, y, strict=True)]) for y in passes]
    assert mirrored[0].any()
    assert not mirrored[0].all()
    assert torch.equal(mirrored[1], ~mirrored[0])
    assert torch.equal(mirrored[2], mirrored[0])
    assert torch.equal(passes[0].flip(2), passes[3])


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(1, 8), st.integers(1, 8), st.sampled_from([1, 3, 4]), st.data())
def test_windows_of_a_cpu_and_the_gather_of_other_devices_are_the_same(n, h, w, c, data):
    x = pictures(n, h, w, c)
    down, right = (
        torch.tensor(data.draw(st.lists(st.integers(-s, s), min_size=n, max_size=n))) for s in (2 * h, 2 * w)
    )
    upend, mirror = (
        data.draw(st.none() | st.lists(st.booleans(), min_size=n, max_size=n).map(torch.tensor)) for _ in range(2)
    )
    ours = geometric.by_windows(x, down, right, upend, mirror)
    assert torch.equal(ours, geometric.by_places(x, down, right, upend, mirror))
    assert ours.is_contiguous()
    assert torch.equal(
        ours, geometric.by_windows(x.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1), down, right, upend, mirror)
    )


def test_resampling_agrees_with_the_gather_where_both_apply():
    x, samples = pictures(), torch.arange(12)
    moved = Augment(flip_horizontal=True, flip_vertical=True, shift=0.3)(x, samples, seed=1, epoch=2)
    resampled = Augment(flip_horizontal=True, flip_vertical=True, shift=0.3, rotate=1e-7)(x, samples, seed=1, epoch=2)
    assert (moved.int() - resampled.int()).abs().max() <= 1


def test_a_quarter_turn_turns():
    x = pictures(n=400, h=8, w=8)
    samples = torch.arange(400)
    how = Augment(rotate=90)
    angle = (uniform(0, 0, samples, 4) * 2 - 1) * 90
    nearest = int(angle.argmax())  # the sample that is turned by nearly 90 degrees
    assert angle[nearest] > 89
    ours = how(x, samples, seed=0, epoch=0)[nearest].float()
    assert (ours - torch.rot90(x[nearest].float(), 1)).abs().mean() < (
        ours - torch.rot90(x[nearest].float(), -1)
    ).abs().mean() / 4


def test_the_stated_share_stays_untouched():
    x, samples = pictures(n=2000, h=5, w=5), torch.arange(2000)
    y = Augment(shift=0.5, flip_horizontal=True, untouched=0.25)(x, samples, seed=0, epoch=0)
    same = (y == x).flatten(1).all(1).float().mean().item()
    assert 0.25 < same < 0.25 + 0.75 * (0.5 / 5) + 0.05  # the rest keeps its place by chance now and then


def test_erased_squares_hold_the_mean():
    x, samples = pictures(n=50, h=20, w=20), torch.arange(50)
    y = Augment(random_erasing=0.6)(x, samples, seed=0, epoch=0)
    hole = (y != x).any(-1)
    assert 0 < hole.float().mean() < 0.36
    mean = x.float().mean((1, 2)).to(torch.uint8)
    for n in range(50):
        assert (y[n][hole[n]] == mean[n]).all()


@pytest.mark.parametrize("how", [Augment(), Augment(untouched=1.0, shift=0.5, flip_horizontal=True, rotate=30)])
def test_nothing_changes_where_nothing_is_asked(how):
    x = pictures()
    assert (how(x, torch.arange(12), seed=0, epoch=0).int() - x.int()).abs().max() <= 0


# --- every step against a definition, each picture with the parameters it drew ---

KEY = {"seed": 3, "epoch": 4}


def drawn(stream, n=12):
    return uniform(3, 4, torch.arange(n), stream).double()


def smooth(n=12, h=16, w=12, c=3):
    """Pictures without hard edges, so that resampling by different rules agrees."""
    g = np.random.default_rng(1)
    noise = g.random((n, h, w, c)) * 255
    return torch.from_numpy(ndimage.gaussian_filter(noise, (0, 2, 2, 0)) * 2 - 128).clamp(0, 255).to(torch.uint8)


def looked_up(picture, places):
    """Bilinear values of (h, w, c) at places (h, w, 2) of (row, column), edges continued: in loops."""
    h, w, c = picture.shape
    out = np.zeros((h, w, c))
    for i in range(h):
        for j in range(w):
            y, x = min(max(places[i, j, 0], 0), h - 1), min(max(places[i, j, 1], 0), w - 1)
            top, left = int(y), int(x)
            down, right = min(top + 1, h - 1), min(left + 1, w - 1)
            a, b = y - top, x - left
            upper = (1 - b) * picture[top, left].astype(float) + b * picture[top, right]
            lower = (1 - b) * picture[down, left].astype(float) + b * picture[down, right]
            out[i, j] = (1 - a) * upper + a * lower
    return out


def affine(picture, forward, shift=(0, 0)):
    """Move each pixel by the 2x2 matrix of (right, down) about the center, then shift by (right, down)."""
    h, w, _ = picture.shape
    back, middle = np.linalg.inv(forward), np.array([(w - 1) / 2, (h - 1) / 2])
    places = np.zeros((h, w, 2))
    for i in range(h):
        for j in range(w):
            x, y = back @ (np.array([j, i]) - np.array(shift) - middle) + middle
            places[i, j] = y, x
    return looked_up(picture, places)


def turned(angle):
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # rows count down


def leaning(tangent, k):
    return np.array([[1, tangent], [0, 1]]) if drawn(12)[k] < 0.5 else np.array([[1, 0], [tangent, 1]])


GEOMETRY = {
    "rotate": (60, lambda k: turned(np.radians(60) * (2 * drawn(4)[k].item() - 1))),
    "scale": (0.4, lambda k: np.eye(2) * (0.6 + 0.8 * drawn(5)[k].item())),
    "aspect": (0.4, lambda k: np.diag([(0.6 + 0.8 * drawn(10)[k].item()) ** p for p in (0.5, -0.5)])),
    "shear": (30, lambda k: leaning(np.tan(np.radians(30) * (2 * drawn(11)[k].item() - 1)), k)),
}  # fmt: skip


@pytest.mark.parametrize("name", GEOMETRY)
def test_geometry_equals_loops(name):
    x = smooth()
    most, matrix = GEOMETRY[name]
    ours = Augment(**{name: most})(x, torch.arange(12), **KEY)
    for k in range(12):
        assert np.abs(affine(x[k].numpy(), matrix(k)) - ours[k].numpy()).max() < 1.01, k


def test_all_geometry_together_is_one_map_in_the_stated_order():
    x = smooth()
    how = Augment(flip_horizontal=True, flip_vertical=True, shift=0.2, rotate=40, scale=0.3, aspect=0.2, shear=15)
    ours = how(x, torch.arange(12), **KEY)
    for k in range(12):
        mirrored = splitmix(3, 0, k, 1) < 0.5  # drawn once for all passes; pass 4 is as pass 0
        mirror = np.diag([-1.0 if mirrored else 1.0, -1.0 if drawn(9)[k] < 0.5 else 1.0])
        zoom, form = 0.7 + 0.6 * drawn(5)[k].item(), 0.8 + 0.4 * drawn(10)[k].item()
        lean = np.tan(np.radians(15) * (2 * drawn(11)[k].item() - 1))
        sheared = leaning(lean, k)
        size = np.diag([zoom * form**0.5, zoom / form**0.5])
        forward = turned(np.radians(40) * (2 * drawn(4)[k].item() - 1)) @ size @ sheared @ mirror
        shift = [round((2 * drawn(s)[k].item() - 1) * 0.2 * side) for s, side in ((3, 12), (2, 16))]
        assert np.abs(affine(x[k].numpy(), forward, shift) - ours[k].numpy()).max() < 1.01, k


def test_a_crop_shows_a_window_of_the_picture():
    x = smooth(c=1)
    ours = Augment(crop=0.7)(x, torch.arange(12), **KEY)
    for k in range(12):
        area, form = 1 - 0.7 * drawn(13)[k].item(), (4 / 3) ** (2 * drawn(14)[k].item() - 1)
        wide, high = min(1, (area * form) ** 0.5), min(1, (area / form) ** 0.5)
        left = drawn(16)[k].item() * (1 - wide) * 12
        top = drawn(15)[k].item() * (1 - high) * 16
        places = np.array(
            [[(top + (i + 0.5) * high - 0.5, left + (j + 0.5) * wide - 0.5) for j in range(12)] for i in range(16)]
        )
        assert np.abs(looked_up(x[k].numpy(), places) - ours[k].numpy()).max() < 1.01


@pytest.mark.parametrize(("name", "stream"), [("brightness", 20), ("contrast", 21), ("saturation", 22)])
def test_color_equals_pillow(name, stream):
    x = smooth()
    ours = Augment(**{name: 0.8})(x, torch.arange(12), **KEY)
    enhancer = {
        "brightness": ImageEnhance.Brightness,
        "contrast": ImageEnhance.Contrast,
        "saturation": ImageEnhance.Color,
    }
    for k in range(12):
        theirs = enhancer[name](Image.fromarray(x[k].numpy())).enhance(0.2 + 1.6 * drawn(stream)[k].item())
        assert (
            np.abs(np.asarray(theirs).astype(int) - ours[k].numpy()).max() <= 2
        )  # Pillow rounds gray, and cuts off decimals


def test_hue_turns_the_chroma_plane_of_yiq_and_keeps_gray():
    x = (smooth() // 2) + 60  # away from the ends, where values are cut off
    ours = Augment(hue=90)(x, torch.arange(12), **KEY)
    for k in range(12):
        angle = np.radians(90) * (2 * drawn(23)[k].item() - 1)
        for i, j in ((0, 0), (5, 7), (15, 11)):
            y, p, q = colorsys.rgb_to_yiq(*(x[k, i, j].numpy() / 255))
            p, q = p * np.cos(angle) - q * np.sin(angle), p * np.sin(angle) + q * np.cos(angle)
            assert (
                np.abs(np.array(colorsys.yiq_to_rgb(y, p, q)) * 255 - ours[k, i, j].numpy()).max() < 3
            )  # its gray is rounded
    gray = torch.full((12, 4, 4, 3), 77, dtype=torch.uint8)
    assert torch.equal(Augment(hue=180, saturation=0.9)(gray, torch.arange(12), **KEY), gray)


def test_color_steps_together_cut_nothing_off_between_them():
    x = smooth(c=1)
    ours = Augment(brightness=0.9, contrast=0.9)(x, torch.arange(12), **KEY)
    b, c = (0.1 + 1.8 * drawn(s)[:, None, None, None] for s in (20, 21))
    bright = x.double() * b  # beyond 255 on the way
    mean = bright.mean((1, 2), keepdim=True)
    assert ((mean + c * (bright - mean)).clamp(0, 255) - ours).abs().max() < 0.51


def test_blur_and_sharpening_equal_scipys_gaussian():
    x = smooth()
    blurred, sharper = (Augment(**{k: 2.0})(x, torch.arange(12), **KEY) for k in ("blur", "sharpen"))
    for k in range(12):
        picture = x[k].numpy().astype(float)
        sigma = 2.0 * drawn(24)[k].item()
        expected = ndimage.gaussian_filter(picture, (sigma, sigma, 0), mode="nearest", radius=(4, 4, 0))
        assert np.abs(expected - blurred[k].numpy()).max() < 0.51
        small = ndimage.gaussian_filter(picture, (0.68, 0.68, 0), mode="nearest", radius=(2, 2, 0))
        detail = 2.0 * drawn(25)[k].item() * (picture - small)
        assert np.abs((picture + detail).clip(0, 255) - sharper[k].numpy()).max() < 0.51


def test_noise_is_normal_of_the_drawn_strength_and_no_two_pictures_share_it():
    x = torch.full((60, 32, 32, 1), 128, dtype=torch.uint8)
    made = Augment(noise=0.1)(x, torch.arange(60), **KEY).double() - 128
    strength = drawn(27, 60) * 25.5
    assert ((made.std((1, 2, 3)) - strength).abs() < 0.1 * strength + 0.4).all()
    strong = made[strength > 10].flatten(1)
    assert abs(stats.kurtosis(strong[0])) < 0.6
    assert np.abs(np.corrcoef(strong.numpy()) - np.eye(len(strong))).max() < 0.2


EVERYTHING = Augment(
    flip_horizontal=True, flip_vertical=True, shift=0.1, rotate=30, scale=0.2, aspect=0.2, shear=10, crop=0.4,
    brightness=0.3,    contrast=0.3, saturation=0.3, hue=20, blur=1.5, sharpen=1.0, noise=0.1, random_erasing=0.3,
    trivial_augment=True, untouched=0.2,
)  # fmt: skip


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(12)), st.integers(1, 11), st.sampled_from([1, 3]))
def test_with_everything_switched_on_batch_and_order_change_nothing(order, cut, channels):
    x, samples, order = pictures(c=channels), torch.arange(12) * 31, torch.tensor(order)
    whole = EVERYTHING(x, samples, seed=5, epoch=1)
    parts = torch.cat([EVERYTHING(x[i], samples[i], seed=5, epoch=1) for i in (order[:cut], order[cut:])])
    assert torch.equal(parts, whole[order])
    untouched = uniform(5, 1, samples, 0) < 0.2
    assert torch.equal(whole[untouched], x[untouched])


def test_the_size_of_pieces_changes_nothing(monkeypatch):
    x, samples = pictures(), torch.arange(12)
    whole = EVERYTHING(x, samples, seed=5, epoch=1)
    monkeypatch.setattr(augment, "PIECE", 400)
    assert torch.equal(EVERYTHING(x, samples, seed=5, epoch=1), whole)


# --- TrivialAugment ---


def test_trivial_equals_pillow_where_pillow_has_the_operation():
    x, n = pictures(n=400, h=12, w=12), 400
    ours = Augment(trivial_augment=True)(x, torch.arange(n), **KEY)
    which = (drawn(40, n) * len(OPERATIONS)).long()
    strength = torch.floor(drawn(41, n) * 31) / 30
    signed = torch.where(drawn(42, n) < 0.5, -strength, strength)
    theirs = {
        "identity": lambda p, s, v: p,
        "posterize": lambda p, s, v: ImageOps.posterize(p, 8 - int(np.round(s * 6))),
        "solarize": lambda p, s, v: ImageOps.solarize(p, 255 - int(np.round(s * 255))),
        "autocontrast": lambda p, s, v: ImageOps.autocontrast(p),
        "equalize": lambda p, s, v: ImageOps.equalize(p),
        "brightness": lambda p, s, v: ImageEnhance.Brightness(p).enhance(1 + 0.99 * v),
        "saturation": lambda p, s, v: ImageEnhance.Color(p).enhance(1 + 0.99 * v),
        "contrast": lambda p, s, v: ImageEnhance.Contrast(p).enhance(1 + 0.99 * v),
    }
    seen = set()
    for k in range(n):
        name = OPERATIONS[which[k]]
        if name in theirs:
            seen.add(name)
            expected = np.asarray(theirs[name](Image.fromarray(x[k].numpy()), strength[k].item(), signed[k].item()))
            assert np.abs(expected.astype(int) - ours[k].numpy()).max() <= 2, name
    assert seen == set(theirs)


def test_trivial_does_one_thing_at_a_time():
    x = smooth(n=200, h=21, w=21)
    ours = Augment(trivial_augment=True)(x, torch.arange(200), **KEY)
    which, signed = (drawn(40, 200) * 14).long(), torch.floor(drawn(41, 200) * 31) / 30
    signed = torch.where(drawn(42, 200) < 0.5, -signed, signed)
    for k in range(200):
        name, v = OPERATIONS[which[k]], signed[k].item()
        if name == "turn":
            assert np.abs(affine(x[k].numpy(), turned(np.radians(135) * v)) - ours[k].numpy()).max() < 1.01
        elif name == "lean":
            assert np.abs(affine(x[k].numpy(), np.array([[1, 0.99 * v], [0, 1]])) - ours[k].numpy()).max() < 1.01
        elif name == "down":
            assert np.abs(affine(x[k].numpy(), np.eye(2), (0, np.round(v * 3))) - ours[k].numpy()).max() < 1.01


# --- two pictures ---


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5, 1.0, 2.0, 8.0])
def test_beta_numbers_equal_scipys(alpha):
    even = torch.linspace(0.001, 0.999, 400)
    assert np.abs(beta(even, alpha).numpy() - stats.beta.ppf(even.numpy(), alpha, alpha)).max() < 2e-3


def test_mixup_is_the_mean_of_two_and_cutmix_a_rectangle_of_the_other():
    x, labels = pictures(n=40, h=10, w=8), torch.arange(40) % 4
    samples = torch.arange(40)
    other = partners(samples, samples, 3, 4)
    assert len(set(other.tolist())) > 15
    targets = torch.nn.functional.one_hot(labels, 4).float()
    pair, y = (x, x[other]), (targets, targets[other])
    made, mixed = mix_pictures(Augment(mixup=1.0), pair, y, samples, 3, 4)
    share = drawn(31, 40)[:, None, None, None]  # Beta(1, 1) is even
    assert (made - (x * share + x[other] * (1 - share))).abs().max() < 0.6
    assert torch.allclose(
        mixed, (targets * share[:, :, 0, 0] + targets[other] * (1 - share[:, :, 0, 0])).float(), atol=1e-4
    )
    made, mixed = mix_pictures(Augment(cutmix=1.0, untouched=0.3), pair, y, samples, 3, 4)
    untouched = drawn(0, 40) < 0.3
    assert torch.equal(made[untouched], x[untouched])
    assert torch.equal(mixed[untouched], targets[untouched])
    for k in torch.nonzero(~untouched).flatten().tolist():
        foreign = (made[k] != x[k]).any(-1)
        rows, cols = foreign.any(1).nonzero(), foreign.any(0).nonzero()
        if len(rows):
            window = (slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))
            assert torch.equal(made[k][window], x[other[k]][window])
            if labels[k] != labels[other[k]]:
                size = (rows.max() + 1 - rows.min()) * (cols.max() + 1 - cols.min())
                assert mixed[k, labels[other[k]]].item() == pytest.approx(size.item() / 80, abs=1e-5)
    assert torch.allclose(mixed.sum(1), torch.ones(40))
