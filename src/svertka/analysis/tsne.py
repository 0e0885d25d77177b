"""The map of a run laid out so that neighbors stay neighbors: t-SNE (van der Maaten and Hinton 2008, JMLR 9:2579).

It is made of the principal coordinates that map.npz keeps, by scikit-learn, where it is quick: its time grows a little
faster than the number of pictures. Where it is not, the map stays on its two principal axes.
"""

from __future__ import annotations

import numpy as np

MOST = 500  # pictures that take less than two seconds on a slow core
EACH = 0.004  # seconds that a picture takes there, at most
LEAST = 10  # pictures: fewer have no neighborhoods
PERPLEXITY = 30.0  # neighbors that count, about


def seconds(count: int) -> float:
    """What laying out so many pictures takes, at most; infinite where it is not done."""
    return 0.5 + EACH * count if LEAST <= count <= MOST else float("inf")


def laid_out(axes: np.ndarray) -> np.ndarray:
    """Places (n, 2) float32 for pictures of principal coordinates (n, k), the same for the same."""
    from sklearn.manifold import TSNE

    start = axes[:, :2] / max(float(axes[:, 0].std()), 1e-12) * 1e-4  # groups lie to each other as on the axes
    near = min(PERPLEXITY, (len(axes) - 1) / 3)
    places = TSNE(2, init=start, perplexity=near, random_state=0, n_jobs=1).fit_transform(axes)
    return np.asarray(places, np.float32)
