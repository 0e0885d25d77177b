"""What the frozen network makes of the pictures, as plain data for the report: a map, and who looks like whom.

map.npz holds `points` float32 (m, 2) and `index` int64 (m,) into the manifest, at most MOST pictures of training and
validation; `share` float32 (), how much of their variance the two axes hold; `axes` float32 (m, k), the same on more
principal axes, of which `analysis.tsne` makes `near` float32 (m, 2) where that is quick; `asked` int64 (k,), the worst
mistakes of validation, `similar` int64 (k, NEAR), the training pictures most alike to each by the cosine of their
features, `cosine` float32 (k, NEAR), and `pixels` uint8 (k, 1 + NEAR, h, w, c).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from svertka.common.atomic_write import write_npz
from svertka.data.splitting.manifest import Part
from svertka.errors import TrainingError
from svertka.evaluation import worst_mistakes
from svertka.pipeline.context import Context
from svertka.runs import layout

MOST = 1500  # pictures on the map
AXES = 50  # principal axes that are kept
NEAR = 3  # similar pictures shown for a mistake
SHOWN = 6  # mistakes they are shown for
SIDE = 96  # of those pictures, at most


def write_map(context: Context, seen: Mapping[Part, Sequence[Tensor]], shares: np.ndarray | None) -> None:
    """Write map.npz from features that the run has kept.

    Args:
        context: the run, its pictures and labels.
        seen: features (n, d) of each part, from each of the networks that stand side by side.
        shares: probabilities (n, classes) of the validation pictures, where there are any.
    """
    if context.data.count("train") < 3:
        return
    index = np.concatenate([context.data.manifest.indices(part) for part in seen])
    some = np.arange(0, len(index), -(-len(index) // MOST))
    shown = torch.cat([_unit(seen[part], places) for part, places in zip(seen, _by_part(seen, some), strict=True)])
    axes = principal(shown, AXES)
    points = axes[:, :2].contiguous()
    share = points.var(0).sum() / shown.var(0).sum().clamp_min(torch.finfo(torch.float32).tiny)
    arrays = {
        "points": points.numpy(), "axes": axes.numpy(), "index": index[some], "share": share.clamp_max(1).numpy(),
    }  # fmt: skip
    if shares is not None:
        arrays |= _similar(context, seen, shares)
    try:
        write_npz(context.run.path / layout.MAP, arrays)
    except OSError as why:
        raise TrainingError(f"{context.run.path} cannot be written: {(why.strerror or str(why)).lower()}.") from why


def principal(x: Tensor, most: int) -> Tensor:
    """Vectors (n, d) on the principal axes along which they differ most: (n, at most `most`), the longest axis first.

    Signs are chosen so that the same vectors give the same map everywhere.
    """
    z = (x - x.mean(0)).double()
    if len(z) < z.shape[1]:  # n numbers say as much of n vectors
        squares, u = torch.linalg.eigh(z @ z.T)
        points = (u * squares.clamp_min(0).sqrt())[:, -most:].flip(1)
    else:
        points = z @ torch.linalg.eigh(z.T @ z)[1][:, -most:].flip(1)
    farthest = points.gather(0, points.abs().argmax(0, keepdim=True))
    signed: Tensor = (points * farthest.sign()).float()
    return signed


def _by_part(seen: Mapping[Part, Sequence[Tensor]], places: np.ndarray) -> list[np.ndarray]:
    """Places in all parts one after the other, as places in each part."""
    ends = np.cumsum([len(features[0]) for features in seen.values()])
    pieces = np.split(places, np.searchsorted(places, ends[:-1]))
    return [piece - start for piece, start in zip(pieces, [0, *ends[:-1]], strict=True)]


def _unit(features: Sequence[Tensor], places: np.ndarray) -> Tensor:
    """Some rows of features that stand side by side, each of length 1: (m, sum of d). The others are not copied."""
    some = torch.from_numpy(np.asarray(places, dtype=np.int64))
    return F.normalize(torch.cat([x[some] for x in features], dim=1), dim=1)


def _similar(context: Context, seen: Mapping[Part, Sequence[Tensor]], shares: np.ndarray) -> dict[str, np.ndarray]:
    """The worst mistakes of validation, and the training pictures most alike to each."""
    judged, learned = context.data.manifest.indices("validation"), context.data.manifest.indices("train")
    worst = worst_mistakes(shares, context.data.labels("validation"), SHOWN)
    mistakes, known = _unit(seen["validation"], worst), seen["train"]
    widths = [x.shape[1] for x in known]
    products = torch.stack([q @ x.T for q, x in zip(torch.split(mistakes, widths, 1), known, strict=True)]).sum(
        0
    )  # (k, n)
    length = torch.stack([torch.linalg.vector_norm(x, dim=1) for x in known]).norm(dim=0)  # (n,)
    near = (products / length.clamp_min(1e-12)).topk(min(NEAR, len(learned)), dim=1)  # (k, near)
    similar = learned[near.indices.numpy()]
    rows = np.concatenate([judged[worst][:, None], similar], axis=1)
    thin = -(-max(context.data.store.pixels.shape[1:3]) // SIDE)
    if not rows.size:
        return {}
    store = context.data.store.pixels
    pixels = np.stack([np.asarray(store[i])[::thin, ::thin] for i in rows.ravel()])
    pixels = pixels.reshape(*rows.shape, *pixels.shape[1:])
    return {"asked": judged[worst], "similar": similar, "cosine": near.values.numpy(), "pixels": pixels}
