"""NetVLAD: what the local features of a picture have in common with K typical ones, as one vector.

Arandjelovic et al. 2016, arXiv:1511.07247, as section 3.1 and appendix A write it:
- a local feature is scaled to length 1 and shared out among K clusters by a softmax (soft assignment, eq. 3);
- per cluster, the differences to its center are summed (eq. 4) and scaled to length 1 (intra-normalization);
  all of them together are scaled to length 1 once more;
- the assignment's weights and the centers start tied (w = 2 alpha c, b = -alpha |c|^2) and then learn apart.

The paper cuts its networks before the last ReLU. Here the pool stands behind the last stage as it is.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from svertka.blocks.net import Net
from svertka.blocks.saved import saved_as
from svertka.errors import ShapeError, UsageError

RATIO = 100.0  # the mean ratio of the largest to the second largest assignment at the start (appendix A)
SIDES = (32, 64, 80, 128, 224, 299)  # inputs to try when the width of a network's features is looked up


@saved_as("NetVLAD", keeps=("channels", "clusters"))
class NetVLAD(nn.Module):
    """Local features to one vector of length 1: (n, c, *size) -> (n, clusters * c), for a size of any rank.

    Its parameters: `assign` (clusters, c) with `bias` (clusters), and the `centres` (clusters, c). They are
    random in a fresh one; `initialize` takes them from features, as the paper does.

    >>> NetVLAD(512, clusters=64)(torch.randn(2, 512, 7, 7)).shape
    torch.Size([2, 32768])
    """

    def __init__(self, channels: int, clusters: int = 64) -> None:
        super().__init__()
        if channels < 1 or clusters < 1:
            raise UsageError(f"NetVLAD needs at least one channel and one cluster; received {channels} and {clusters}.")
        self.channels, self.clusters = channels, clusters
        self.assign = nn.Parameter(torch.empty(clusters, channels))
        self.bias = nn.Parameter(torch.empty(clusters))
        self.centres = nn.Parameter(torch.empty(clusters, channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Random centers of length 1, with assignments as soft as they make them."""
        with torch.no_grad():
            self.tie(F.normalize(torch.randn_like(self.centres), dim=1), alpha=1.0)

    def tie(self, centers: Tensor, alpha: float) -> None:
        """Start from these centers (clusters, c): a feature belongs to a cluster by exp(-alpha |x - c|^2)."""
        self.centres.data.copy_(centers)
        self.assign.data.copy_(2 * alpha * centers)
        self.bias.data.copy_(-alpha * centers.square().sum(1))

    def initialize(self, features: Tensor, seed: int = 0) -> None:
        """Centers from features by k-means; the assignment as sharp as their distances ask (appendix A).

        Args:
            features: (n, c, *size), as they will come, or (n, c).
            seed: of the k-means.

        Raises:
            ShapeError: the features have another width, or there are fewer of them than clusters.
        """
        import numpy as np
        from sklearn.cluster import KMeans

        self.check(features)
        x = features.detach().float().movedim(1, -1).reshape(-1, self.channels)  # (n * places, c)
        x = F.normalize(x, dim=1)
        points = x.cpu().numpy()
        distinct = len(np.unique(points, axis=0))
        if distinct < self.clusters:
            raise ShapeError(
                f"{self.clusters} clusters need at least as many different features; there are {distinct}."
            )
        means = KMeans(self.clusters, n_init=1, random_state=seed).fit(points).cluster_centers_
        centers = torch.from_numpy(means).to(x)
        gap = 1.0  # one cluster has no second nearest
        if self.clusters > 1:
            near = torch.cdist(x, centers).square().topk(2, dim=1, largest=False).values  # (n * places, 2)
            gap = float((near[:, 1] - near[:, 0]).mean())
        self.tie(centers, alpha=math.log(RATIO) / max(gap, 1e-6))

    def check(self, x: Tensor) -> None:
        """Raise ShapeError unless x is (n, c, ...) with the width that this pool was built for."""
        if x.dim() < 2 or x.shape[1] != self.channels:
            raise ShapeError(
                f"NetVLAD was built for features of {self.channels} channels, (n, {self.channels}, ...); "
                f"received {tuple(x.shape)}."
            )

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, *size) -> (n, clusters * c)."""
        self.check(x)
        x = F.normalize(x.flatten(2) if x.dim() > 2 else x.unsqueeze(2), dim=1)  # (n, c, places)
        share = torch.softmax(self.assign @ x + self.bias[:, None], dim=1)  # (n, k, places)
        sums = share @ x.mT - share.sum(2, keepdim=True) * self.centres  # (n, k, c)
        return F.normalize(F.normalize(sums, dim=2).flatten(1), dim=1)  # (n, k * c)

    def extra_repr(self) -> str:
        """The sizes, for `print`."""
        return f"{self.channels}, clusters={self.clusters}"


def put_netvlad(net: Net, channels: int, clusters: int) -> Net:
    """Replace the pool of a network, in place, by a fresh NetVLAD; what `features` gives is left as it is."""
    net.pool = NetVLAD(channels, clusters)
    net.made_pool = {"channels": channels, "clusters": clusters}
    return net


def with_netvlad(net: Net, *, clusters: int = 64, classes: int, sample: Tensor | None = None, seed: int = 0) -> Net:
    """A network that shares stem and stages with `net`, behind them NetVLAD and a linear layer.

    Args:
        net: any network of the silhouette; stays as it is. Auxiliary heads stay behind with it.
        clusters: K of the paper, 64 there.
        classes: outputs of the new head.
        sample: pictures (n, channels, *size) whose features give the centers; random centers where None.
        seed: of the k-means on them.

    Raises:
        UsageError: the network computes its features in a way of its own: stem and stages are not all.
        ShapeError: the sample gives fewer features than clusters.
    """
    if type(net).features is not Net.features:
        kind = type(net).__name__
        raise UsageError(f"{kind} is more than its stem and stages, so its pool cannot be replaced.")
    if sample is None:
        pool = NetVLAD(width(net), clusters)
    else:
        features = features_of(net, sample)
        pool = NetVLAD(features.shape[1], clusters)
        pool.initialize(features, seed)
    made = Net(net.stem, net.stages, pool, nn.Linear(pool.channels * clusters, classes))
    if type(net).check is Net.check:
        made.least = net.least
    like = next(net.parameters(), None)
    if like is not None:
        made.pool.to(like)
        made.head.to(like)
    return made.train(net.training)


def features_of(net: Net, x: Tensor) -> Tensor:
    """The last feature maps in evaluation mode and without gradient; every part's mode is given back."""
    was = {part: part.training for part in net.modules()}
    net.eval()
    try:
        with torch.no_grad():
            return net.features(x)
    finally:
        for part, flag in was.items():
            part.training = flag


def width(net: Net) -> int:
    """Channels of the last feature maps, found on torch's `meta` device: nothing is computed or copied.

    Raises:
        UsageError: no input that was tried went through.
    """
    tensors: Iterator[Tensor] = (t for group in (net.parameters(), net.buffers()) for t in group)
    memo: dict[int, object] = {
        id(t): nn.Parameter(t.to("meta")) if isinstance(t, nn.Parameter) else t.to("meta") for t in tensors
    }
    ghost = copy.deepcopy(net, memo).eval()
    first = next((m for m in net.modules() if isinstance(m, nn.Conv1d | nn.Conv2d)), None)
    if first is None:
        raise UsageError("The network has no convolution, so its features have no channels to pool.")
    rank = 1 if isinstance(first, nn.Conv1d) else 2
    for side in SIDES:
        x = torch.empty(1, first.in_channels, *[side] * rank, dtype=first.weight.dtype, device="meta")
        try:
            maps: Tensor = ghost.stages(ghost.stem(x))  # not `features`, which checks the size
            return maps.shape[1]
        except (RuntimeError, ShapeError):  # too small for this network, or not the height it was built for
            continue
    raise UsageError("The width of the network's features was not found; give a sample of its input.")
