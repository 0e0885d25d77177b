"""What the frozen network makes of the pictures, as plain data for the report: a map, and who looks like whom.

map.npz holds `points` float32 (m, 2) and `index` int64 (m,) into the manifest, at most MOST pictures of training and
validation; `share` float32 (), how much of their variance the two axes hold; `axes` float32 (m, k), the same on more
principal axes, of which `verbs.layout` makes `near` float32 (m, 2) where that is quick; `asked` int64 (k,), the worst
mistakes of validation, `similar` int64 (k, NEAR), the training pictures most alike to each by the cosine of their
features, `cosine` float32 (k, NEAR), and `pixels` uint8 (k, 1 + NEAR, h, w, c).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from svertka.common.atomic_write import write_npz
from svertka.errors import TrainingError
from svertka.evaluation import worst_mistakes
from svertka.pipeline.context import Job
from svertka.pipeline.feature_extraction import Looking
from svertka.runs import layout
from svertka.transfer.features import PLAIN
from svertka.transfer.ladder import Candidate

MOST = 1500  # pictures on the map
AXES = 50  # principal axes that are kept
NEAR = 3  # similar pictures shown for a mistake
SHOWN = 6  # mistakes they are shown for
SIDE = 96  # of those pictures, at most


def write_map(job: Job, looking: Looking, best: Candidate, shares: np.ndarray | None) -> None:
    """Write map.npz from features that the run has kept; a network that was never frozen has none, and no map.

    Args:
        job: the run, its pictures and labels.
        looking: holds the features.
        best: the network that won.
        shares: probabilities (n, classes) of the validation pictures, where there are any.
    """
    parts = [part for part in ("train", "validation") if job.count(part)]
    if not looking.knows(best.backbone) or job.count("train") < 3:
        return
    seen = {part: [looking(b, part, PLAIN) for b in looking.parts(best.backbone)] for part in parts}
    index = np.concatenate([job.manifest.indices(part) for part in parts])
    some = np.arange(0, len(index), -(-len(index) // MOST))
    shown = torch.cat([_unit(seen[part], places) for part, places in zip(parts, _by_part(seen, some), strict=True)])
    axes = principal(shown, AXES)
    points = axes[:, :2].contiguous()
    share = points.var(0).sum() / shown.var(0).sum().clamp_min(torch.finfo(torch.float32).tiny)
    arrays = {
        "points": points.numpy(), "axes": axes.numpy(), "index": index[some], "share": share.clamp_max(1).numpy(),
    }  # fmt: skip
    if shares is not None:
        arrays |= _similar(job, seen, shares)
    try:
        write_npz(job.run.path / layout.MAP, arrays)
    except OSError as why:
        raise TrainingError(f"{job.run.path} cannot be written: {(why.strerror or str(why)).lower()}.") from why


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
    return (points * farthest.sign()).float()


def _by_part(seen: dict[str, list[Tensor]], places: np.ndarray) -> list[np.ndarray]:
    """Places in all parts one after the other, as places in each part."""
    ends = np.cumsum([len(features[0]) for features in seen.values()])
    pieces = np.split(places, np.searchsorted(places, ends[:-1]))
    return [piece - start for piece, start in zip(pieces, [0, *ends[:-1]], strict=True)]


def _unit(features: Sequence[Tensor], places: np.ndarray) -> Tensor:
    """Some rows of features that stand side by side, each of length 1: (m, sum of d). The others are not copied."""
    some = torch.from_numpy(np.asarray(places, dtype=np.int64))
    return F.normalize(torch.cat([x[some] for x in features], dim=1), dim=1)


def _similar(job: Job, seen: dict[str, list[Tensor]], shares: np.ndarray) -> dict[str, np.ndarray]:
    """The worst mistakes of validation, and the training pictures most alike to each."""
    judged, learned = job.manifest.indices("validation"), job.manifest.indices("train")
    worst = worst_mistakes(shares, job.labels("validation"), SHOWN)
    asked, known = _unit(seen["validation"], worst), seen["train"]
    widths = [x.shape[1] for x in known]
    products = torch.stack([q @ x.T for q, x in zip(asked.split(widths, 1), known, strict=True)]).sum(0)  # (k, n)
    length = torch.stack([torch.linalg.vector_norm(x, dim=1) for x in known]).norm(dim=0)  # (n,)
    near = (products / length.clamp_min(1e-12)).topk(min(NEAR, len(learned)), dim=1)  # (k, near)
    similar = learned[near.indices.numpy()]
    rows = np.concatenate([judged[worst][:, None], similar], axis=1)
    thin = -(-max(job.store.pixels.shape[1:3]) // SIDE)
    pixels = np.stack([np.asarray(job.store.pixels[i])[::thin, ::thin] for i in rows.ravel()]) if rows.size else None
    if pixels is None:
        return {}
    pixels = pixels.reshape(*rows.shape, *pixels.shape[1:])
    return {"asked": judged[worst], "similar": similar, "cosine": near.values.numpy(), "pixels": pixels}
