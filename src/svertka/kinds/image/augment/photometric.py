"""What augmentation does to the values of pixels: color, blur and sharpening, noise, erasing.

- Brightness, contrast, saturation and hue are affine in (r, g, b), so together they are one 3x3 matrix and one offset
  a picture, and nothing is cut off between them. Gray is Pillow's (ITU-R 601); hue turns the chroma plane of YIQ.
- y = x + amount (G x - x), with a Gaussian G: amount 1 blurs, a negative one sharpens. The middle of G is taken out of
  its sums, and is a factor of the picture like its contrast: a pass less along each axis.
- Noise is a stretch of one long table of normal numbers, at a place and with a sign of the sample's own: to hash every
  pixel anew would cost more than all other steps together.

Sums run over taps in a fixed order and never over a batch, so a picture's result does not depend on its neighbors.
Axes: n samples, c channels (1 or 3), h rows, w columns; values 0 to 255.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING

from svertka.common.counter_rng import Draw, Stream
from svertka.common.lazy import LazyModule
from svertka.kinds.base import Augment, option
from svertka.kinds.image.augment.geometric import both_ways, factor

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")  # the recipe knows the settings below before torch is there

GRAY = (0.299, 0.587, 0.114)
SMALL = 0.68  # pixels: the Gaussian as wide as the 3x3 filter with which Pillow smooths
REACH = 2.0  # standard deviations, after which a Gaussian is cut off
TABLE = 1 << 20  # normal numbers, from which each sample takes a stretch


@dataclass(frozen=True, repr=False)
class Photometric(Augment):
    """What becomes of values. `brightness` may be (least, most) as factors."""

    random_erasing: float = option(
        0.0, "blank a random square of up to this share of the side", chosen=True, strengths=(0.4,), turn=8
    )
    brightness: float | tuple[float, float] = option(
        0.0, "brighten or darken by up to this share", strengths=(0.3,), turn=6
    )
    contrast: float = option(0.0, "raise or lower contrast by up to this share", strengths=(0.3,), turn=7)
    saturation: float = option(
        0.0, "raise or lower saturation by up to this share", strengths=(0.4,), turn=12, channels=3
    )
    hue: float = option(
        0.0, "turn colors by up to this many degrees of the color circle", 0, 180, dear=True, strengths=(15.0,),
        turn=13, channels=3,
    )  # fmt: skip
    blur: float = option(
        0.0, "blur with a Gaussian of up to this many pixels", 0, 20, dear=True, strengths=(1.0,), turn=14
    )
    sharpen: float = option(
        0.0, "sharpen by up to this many times the finest detail", 0, 10, dear=True, strengths=(1.0,), turn=15
    )
    noise: float = option(0.0, "add Gaussian noise of up to this share of white", dear=True, strengths=(0.05,), turn=16)


@dataclass
class Tones:
    """What is done to each of n pictures; tensors are float (n,), and None is not at all.

    brightness, contrast, saturation  factors, 1 is as it is
    hue          radians
    sigma        of the Gaussian in pixels
    amount       1 is the Gaussian itself, 0 nothing, below 0 sharper
    widest       no sigma is larger
    noise        standard deviation in values of pixels
    place, sign  where in the table the noise begins, int64, and +-1
    """

    brightness: Tensor | None = None
    contrast: Tensor | None = None
    saturation: Tensor | None = None
    hue: Tensor | None = None
    sigma: Tensor | None = None
    amount: Tensor | None = None
    widest: float = 0.0
    noise: Tensor | None = None
    place: Tensor | None = None
    sign: Tensor | None = None


def needed(how: Photometric) -> bool:
    """Whether the recipe changes values."""
    steps = (how.brightness, how.contrast, how.saturation, how.hue, how.blur, how.sharpen, how.noise)
    return any(map(bool, steps))


def draw_tones(how: Photometric, pixels: Tensor, draw: Draw) -> Tones:
    """What the recipe does to each picture."""
    tones = Tones()
    if how.brightness:
        tones.brightness = factor(draw(Stream.BRIGHTNESS), how.brightness)
    if how.contrast:
        tones.contrast = factor(draw(Stream.CONTRAST), how.contrast)
    if pixels.shape[3] == 3:  # gray pictures have no color to change
        if how.saturation:
            tones.saturation = factor(draw(Stream.SATURATION), how.saturation)
        if how.hue:
            tones.hue = both_ways(draw(Stream.HUE), math.radians(how.hue))
    if how.blur or how.sharpen:
        _draw_gaussian(tones, how, draw)
    if how.noise:
        tones.noise = draw(Stream.NOISE) * (how.noise * 255)
        tones.place = (draw(Stream.NOISE_PLACE) * TABLE).long()
        tones.sign = torch.where(draw(Stream.NOISE_SIGN) < 0.5, -1.0, 1.0)
    return tones


def _draw_gaussian(tones: Tones, how: Photometric, draw: Draw) -> None:
    """Blur or sharpen; half of the pictures each where both are asked for."""
    sigma = draw(Stream.BLUR) * how.blur
    amount = -draw(Stream.SHARPEN) * how.sharpen
    if how.blur and how.sharpen:
        blurred = draw(Stream.BLUR_OR_SHARPEN) < 0.5
    else:
        blurred = torch.full_like(sigma, bool(how.blur), dtype=torch.bool)
    tones.sigma = torch.where(blurred, sigma, torch.full_like(sigma, SMALL))
    tones.amount = torch.where(blurred, torch.ones_like(amount), amount)
    tones.widest = max(how.blur, SMALL if how.sharpen else 0.0)


@dataclass
class Steps:
    """What is done to the values of each of n pictures, ready to be done; None is not at all.

    matrix  (n, 3, 3) of colors
    lift    (n, 1, 1, 1), times the picture's mean gray, is added
    gain    (n, 1, 1, 1) of the picture
    around  (n, 1, 1, 1) of the sum of each pixel and its neighbors, these times
    sides   (n, reach) by their distance
    noise   (n, 1, 1, 1) of normal numbers, which begin at
    place   (n,) in the table
    """

    matrix: Tensor | None = None
    lift: Tensor | None = None
    gain: Tensor | None = None
    around: Tensor | None = None
    sides: Tensor | None = None
    noise: Tensor | None = None
    place: Tensor | None = None

    def split(self, each: int) -> Iterator[Steps]:
        """The same for so many pictures at a time."""
        columns = (getattr(self, f.name) for f in fields(self))
        yield from map(Steps, *(repeat(None) if t is None else t.split(each) for t in columns))


def steps(tones: Tones) -> Steps:
    """The arithmetic of what was drawn."""
    made = Steps(*color_map(tones))
    if tones.sigma is not None and tones.amount is not None:
        middle, made.sides = taps(tones.sigma, tones.widest)
        keep, around = _broad(1 - tones.amount), _broad(tones.amount * middle**2)
        made.gain, made.around = (keep, around) if made.gain is None else (keep * made.gain, around * made.gain)
    if tones.noise is not None and tones.sign is not None:
        made.noise, made.place = _broad(tones.noise * tones.sign), tones.place
    return made


def apply(x: Tensor, steps: Steps, mean: Tensor | None) -> Tensor:
    """Change the values of pictures; neither rounded nor cut off.

    Args:
        x: float (n, c, h, w), which is overwritten.
        steps: what is done.
        mean: (n, c) of the pictures, the middle of contrast; needed with `steps.lift`.
    """
    if steps.matrix is not None:
        x = recolor(x, steps.matrix)
    blurred = None if steps.sides is None else spread(x, steps.sides)
    if steps.gain is not None:
        x *= steps.gain
    if steps.lift is not None and mean is not None:
        x += steps.lift * _broad(_gray(mean))
    if blurred is not None and steps.around is not None:
        x.addcmul_(blurred, steps.around)
    if steps.noise is not None and steps.place is not None:
        x.addcmul_(_normal(steps.place, x), steps.noise)
    return x


def means(values: Tensor) -> Tensor:
    """Mean of each channel of each picture: float (n, h, w, c) of whole numbers to 255 -> float (n, c).

    Exact, whatever the order of the sum: that of a column fits into a float32, that of a picture into a float64.
    """
    n, h, w, c = values.shape
    columns = values.reshape(n, h, w * c).sum(1)  # (n, w*c)
    return columns.view(n, w, c).sum(1, dtype=torch.float64).float() / (h * w)


def _broad(numbers: Tensor) -> Tensor:
    return numbers[:, None, None, None]  # (n,) -> (n, 1, 1, 1)


# --- color ---


def color_map(tones: Tones) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """(matrix, lift, gain) of `Steps`: x becomes matrix x (or gain x) + lift times the picture's mean gray."""
    drawn = [t for t in (tones.brightness, tones.contrast, tones.saturation, tones.hue) if t is not None]
    if not drawn:
        return None, None, None
    one = torch.ones_like(drawn[0])
    brightness, contrast, saturation = (
        one if t is None else t for t in (tones.brightness, tones.contrast, tones.saturation)
    )
    # neither saturation nor hue changes gray, so the mean gray is that of the picture as it was
    lift = None if tones.contrast is None else _broad((1 - contrast) * brightness)
    gain = _broad(brightness * contrast)
    if tones.saturation is None and tones.hue is None:
        return None, lift, gain
    gray, unit = _chroma(str(one.device))[0][0].expand(3, 3), torch.eye(3, device=one.device)
    s = saturation[:, None, None]
    matrix = s * unit + (1 - s) * gray  # (n, 3, 3)
    if tones.hue is not None:
        matrix = _times(_hue(tones.hue), matrix)
    return matrix * gain[:, 0], lift, None


def recolor(x: Tensor, matrix: Tensor) -> Tensor:
    """Every pixel times its picture's matrix (n, 3, 3): float (n, 3, h, w) -> the same."""
    planes = []
    for out in range(3):
        weights = matrix[:, out, :, None, None]  # (n, 3, 1, 1)
        plane = x[:, 0] * weights[:, 0]  # (n, h, w)
        plane += x[:, 1] * weights[:, 1]
        plane += x[:, 2] * weights[:, 2]
        planes.append(plane)
    return torch.stack(planes, 1)


def _gray(mean: Tensor) -> Tensor:
    """(n, c) -> (n,)."""
    r, g, b = GRAY
    return mean[:, 0] * r + mean[:, 1] * g + mean[:, 2] * b if mean.shape[1] == 3 else mean[:, 0]


@lru_cache(maxsize=4)
def _chroma(device: str) -> tuple[Tensor, Tensor]:
    """(r, g, b) -> (y, i, q), and the way back: the NTSC matrix of Python's colorsys on ITU-R 601's gray. (3, 3) each.

    Kept, for a GPU would wait for it.
    """
    r, g, b = GRAY
    i = (0.74 * (1 - r) + 0.27 * r, -0.74 * g + 0.27 * g, -0.74 * b - 0.27 * (1 - b))
    q = (0.48 * (1 - r) - 0.41 * r, -0.48 * g - 0.41 * g, -0.48 * b + 0.41 * (1 - b))
    there = torch.tensor([GRAY, i, q])
    return there.to(device), torch.linalg.inv(there).to(device)


def _hue(angle: Tensor) -> Tensor:
    """Turn the plane of i and q, and leave y: (n,) -> (n, 3, 3) in (r, g, b)."""
    there, back = _chroma(str(angle.device))
    cos, sin, no = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
    turn = torch.stack([no + 1, no, no, no, cos, -sin, no, sin, cos], 1).view(-1, 3, 3)
    return _times(_times(back[None], turn), there[None])


def _times(a: Tensor, b: Tensor) -> Tensor:
    """Products of small matrices, each by itself: a batched product may sum in another order for another n."""
    return (a[:, :, :, None] * b[:, None, :, :]).sum(2)


# --- blur and noise ---


def gaussian(x: Tensor, sigma: Tensor, widest: float) -> Tensor:
    """Blur each picture by its own standard deviation; edges are continued. (n, c, h, w), (n,) -> (n, c, h, w)."""
    middle, sides = taps(sigma, widest)
    return spread(x, sides) * _broad(middle**2)


def taps(sigma: Tensor, widest: float) -> tuple[Tensor, Tensor]:
    """Gaussians that sum to 1: their middle (n,), and the others as shares of it by their distance, (n, reach)."""
    reach = max(1, math.ceil(REACH * widest))
    distance = torch.arange(1, reach + 1, device=sigma.device)
    sides = torch.exp(-0.5 * (distance / sigma[:, None].clamp(min=1e-3)) ** 2)  # (n, reach)
    total = torch.ones_like(sigma)
    for k in range(reach):
        total += 2 * sides[:, k]
    return 1 / total, sides


def spread(x: Tensor, sides: Tensor) -> Tensor:
    """Each pixel and its neighbors times `sides` (n, reach), along columns and then rows: (n, c, h, w), the same."""
    reach, side = sides.shape[1], sides[:, :, None, None, None]
    wide = torch.nn.functional.pad(x, (reach,) * 4, mode="replicate")  # (n, c, h + 2 reach, w + 2 reach)
    for axis in (2, 3):
        size = x.shape[axis]
        total = wide.narrow(axis, reach, size)
        for k in range(1, reach + 1):
            pair = wide.narrow(axis, reach - k, size) + wide.narrow(axis, reach + k, size)
            total = torch.addcmul(total, pair, side[:, k - 1], out=pair)
        wide = total
    return wide


def _normal(place: Tensor, like: Tensor) -> Tensor:
    """Normal numbers from each place of the table on: (n,) -> (n, c, h, w)."""
    size = like[0].numel()
    table = _table(size, str(like.device))
    if len(place) == 1:  # one photograph needs no copy
        return table.narrow(0, int(place), size).view_as(like)
    return table.unfold(0, size, 1)[place].view_as(like)


@lru_cache(maxsize=4)
def _table(size: int, device: str) -> Tensor:
    """TABLE normal numbers, and the first `size - 1` of them again, so that a stretch may begin anywhere."""
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(TABLE, generator=generator)
    times = -(-(TABLE + size) // TABLE)
    return table.repeat(times)[: TABLE + size - 1].to(device)


# --- erasing ---


def erase(pixels: Tensor, share: float, draw: Draw, changed: Tensor) -> Tensor:
    """A square of up to `share` of the side becomes the picture's mean: uint8 (n, h, w, c) -> the same."""
    _, h, w, _ = pixels.shape
    half = draw(Stream.HOLE) * share / 2
    y = torch.arange(h, device=pixels.device) / h - draw(Stream.HOLE_DOWN)[:, None]  # (n, h)
    x = torch.arange(w, device=pixels.device) / w - draw(Stream.HOLE_RIGHT)[:, None]
    hole = (y.abs() < half[:, None])[:, :, None] & (x.abs() < half[:, None])[:, None, :] & changed[:, None, None]
    mean = means(pixels.float()).to(torch.uint8)[:, None, None, :]  # (n, 1, 1, c)
    return torch.where(hole[..., None], mean, pixels)


# What is done to bytes when all else is done, in this order:
# field -> (uint8 (n, h, w, c), its value, draw, (n,) whether a picture is changed at all) -> the same
LAST: dict[str, Callable[[Tensor, float, Draw, Tensor], Tensor]] = {"random_erasing": erase}


def finish(pixels: Tensor, how: Photometric, draw: Draw, changed: Tensor) -> Tensor:
    """Each of `LAST` that the recipe has: uint8 (n, h, w, c) -> the same."""
    for name, operation in LAST.items():
        if value := getattr(how, name):
            pixels = operation(pixels, value, draw, changed)
    return pixels
