"""Conformer: attention looks at all of a sound at once, convolution at what is near, in turns.

Gulati et al. 2020, arXiv:2005.08100: sizes of table 1, the block of section 2.4, here as a classifier of
spectrograms (n, channels, mels, frames) or (n, mels, frames). Notable choices:
- positions enter as distances between frames (Transformer-XL, Dai et al. 2019, arXiv:1901.02860): a score is
  (q + u) k + (q + v) r, with r the sinusoids of the distance behind a linear layer of each block's own;
- the stem is two convolutions of stride 2, a projection of all their bands, and the Linear of figure 1;
- features are (n, c, frames) between the blocks, as everywhere here; a block turns them for its own use;
- the logits are of the mean over frames. The published models recognize speech by an LSTM transducer on top,
  which counts in the 10.3, 30.7 and 118.8 million parameters of table 1 and is no part of this network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from svertka.blocks import Net, saved_as
from svertka.errors import ShapeError, UsageError
from svertka.zoo.registry import Variant


@dataclass(frozen=True, slots=True)
class Plan:
    """A column of table 1: blocks, width, attention heads, and what the depthwise convolution spans."""

    blocks: int
    width: int
    heads: int
    kernel: int = 32


PLANS = {
    "conformer_s": Plan(blocks=16, width=144, heads=4),
    "conformer_m": Plan(blocks=16, width=256, heads=4),
    "conformer_l": Plan(blocks=17, width=512, heads=8),
}


@saved_as("conformer.Subsampling", keeps=("mels",))
class Subsampling(nn.Module):
    """A quarter of the frames, mels in one vector: (n, channels, mels, frames) -> (n, c, frames / 4)."""

    def __init__(self, channels: int, mels: int, width: int, dropout: float) -> None:
        super().__init__()
        self.mels = mels
        self.conv1 = nn.Conv2d(channels, width, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.project = nn.Linear(width * math.ceil(math.ceil(mels / 2) / 2), width)
        self.linear = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Raises ShapeError for another number of mels than this network was built for."""
        x = x.unsqueeze(1) if x.dim() == 3 else x  # (n, channels, mels, frames)
        if x.dim() != 4 or x.shape[2] != self.mels:
            raise ShapeError(
                f"A Conformer for {self.mels} mels takes (n, channels, {self.mels}, frames); "
                f"received {tuple(x.shape)}. Build it with mels=... for others."
            )
        y = F.relu(self.conv2(F.relu(self.conv1(x))))  # (n, width, mels / 4, frames / 4)
        y = y.flatten(1, 2).mT  # (n, frames / 4, width * mels / 4)
        frames: Tensor = self.dropout(self.linear(self.project(y)))  # (n, frames / 4, width)
        return frames.mT


@saved_as("conformer.FeedForward")
class FeedForward(nn.Sequential):
    """Every frame by itself, four times as wide on the way (figure 4): (n, frames, c) -> (n, frames, c)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width), nn.SiLU(), nn.Dropout(dropout),
            nn.Linear(4 * width, width), nn.Dropout(dropout),
        )  # fmt: skip


@saved_as("conformer.Attention", keeps=("heads",))
class Attention(nn.Module):
    """Every frame from all frames, by content and distance (figure 3): (n, frames, c) -> (n, frames, c)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.distance = nn.Linear(width, width, bias=False)
        self.content_bias = nn.Parameter(torch.empty(heads, 1, width // heads))  # u of the paper
        self.distance_bias = nn.Parameter(torch.empty(heads, 1, width // heads))  # v of the paper
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Both biases at zero: content and distance start equal for all frames."""
        nn.init.zeros_(self.content_bias)
        nn.init.zeros_(self.distance_bias)

    def forward(self, x: Tensor) -> Tensor:
        """Attend."""
        x = self.norm(x)
        q, k, v = (self.split(part(x)) for part in (self.query, self.key, self.value))
        r = self.split(self.distance(sinusoids(x))[None])  # (1, heads, 2 * frames - 1, d)
        by_distance = shift((q + self.distance_bias) @ r.mT)  # (n, heads, frames, frames)
        scale = 1 / math.sqrt(q.shape[-1])
        drop = self.dropout.p if self.training else 0.0
        y = F.scaled_dot_product_attention(
            q + self.content_bias, k, v, attn_mask=by_distance * scale, dropout_p=drop, scale=scale
        )  # (n, heads, frames, d)
        attended: Tensor = self.dropout(self.out(y.transpose(1, 2).flatten(2)))  # (n, frames, c)
        return attended

    def split(self, x: Tensor) -> Tensor:
        """(n, frames, c) -> (n, heads, frames, c / heads)."""
        parts: Tensor = x.unflatten(2, (self.heads, -1))
        return parts.transpose(1, 2)


def sinusoids(like: Tensor) -> Tensor:
    """Every distance between two frames, from far behind to far ahead, as waves.

    Pairs of sine and cosine of distance / 10000^(2i / c): Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
    (n, frames, c) -> (2 * frames - 1, c); only size, device and dtype of the input matter.
    """
    frames, width = like.shape[1:]
    exact = torch.promote_types(like.dtype, torch.float32)  # half precision cannot count frames
    distance = torch.arange(frames - 1, -frames, -1, device=like.device, dtype=exact)
    octave = torch.arange(0, width, 2, device=like.device, dtype=exact) / width
    angle = distance[:, None] * 10000.0**-octave  # (2 * frames - 1, c / 2)
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1).to(like.dtype)


def shift(scores: Tensor) -> Tensor:
    """From (query, distance) to (query, key): (..., frames, 2 * frames - 1) -> (..., frames, frames).

    Query i finds key j at distance i - j, which stands in column frames - 1 - i + j. With one column more,
    and read in rows as long as before, all keys come to stand below each other.
    """
    frames = scores.shape[-2]
    flat = F.pad(scores, (0, 1)).flatten(-2)[..., : frames * (2 * frames - 1)]
    rows: Tensor = flat.unflatten(-1, (frames, 2 * frames - 1))
    return rows[..., frames - 1 :]


@saved_as("conformer.Convolution", keeps=("pad",))
class Convolution(nn.Module):
    """What is near, channel by channel, behind a gate (figure 2): (n, frames, c) -> (n, frames, c)."""

    def __init__(self, width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Conv1d(width, 2 * width, 1)
        self.depthwise = nn.Conv1d(width, width, kernel, padding="valid", groups=width)
        self.batch_norm = nn.BatchNorm1d(width)
        self.narrow = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(dropout)
        self.pad = ((kernel - 1) // 2, kernel // 2)  # an even kernel sees one frame more ahead than behind

    def forward(self, x: Tensor) -> Tensor:
        """Look around."""
        y = F.glu(self.widen(self.norm(x).mT), dim=1)  # (n, c, frames)
        y = self.depthwise(F.pad(y, self.pad))  # (n, c, frames)
        y = self.narrow(F.silu(self.batch_norm(y)))  # (n, c, frames)
        frames: Tensor = self.dropout(y.mT)  # (n, frames, c)
        return frames


@saved_as("conformer.Block")
class Block(nn.Module):
    """Half a feed-forward step, attention, convolution, the other half: (n, c, frames) -> (n, c, frames)."""

    def __init__(self, plan: Plan, dropout: float) -> None:
        super().__init__()
        self.before = FeedForward(plan.width, dropout)
        self.attention = Attention(plan.width, plan.heads, dropout)
        self.convolution = Convolution(plan.width, plan.kernel, dropout)
        self.after = FeedForward(plan.width, dropout)
        self.norm = nn.LayerNorm(plan.width)

    def forward(self, x: Tensor) -> Tensor:
        """Equation 1 of the paper, line by line."""
        x = x.mT  # (n, frames, c)
        x = x + self.before(x) / 2
        x = x + self.attention(x)
        x = x + self.convolution(x)
        x = self.norm(x + self.after(x) / 2)
        return x.mT


def conformer(plan: Plan, *, classes: int, channels: int, mels: int = 80, dropout: float = 0.1) -> Net:
    """A Conformer by its plan: (n, channels, mels, frames) -> (n, classes), for any number of frames.

    Raises:
        UsageError: there is less than one mel.
    """
    if mels < 1:
        raise UsageError(f"mels is the height of the spectrograms, 1 or more, not {mels}.")
    net = Net(
        Subsampling(channels, mels, plan.width, dropout),
        nn.Sequential(*(Block(plan, dropout) for _ in range(plan.blocks))),
        nn.AdaptiveAvgPool1d(1),
        nn.Linear(plan.width, classes),
    )
    net.built_for = (mels, None)
    return net


VARIANTS = tuple(
    Variant(
        name,
        partial(conformer, plan),
        size=80,
        least=1,
        channels=1,
        source="Gulati et al. 2020, arXiv:2005.08100",
    )
    for name, plan in PLANS.items()
)
