"""The drawing of a network in the report."""

import itertools
import re

from svertka.reporting.sections.network.section import silhouette
from svertka.runs.records import Layer

WIDEST = 9.6  # pixels of a digit at the size of the labels, in a wide font


def test_labels_of_neighboring_parts_do_not_touch():
    shapes = {"input": [3, 96, 96], "stem": [48, 24, 24], "stages.0": [32, 24, 24], "stages.1": [64, 112, 112]}
    rows = [Layer(name=name, word="", output=shape, weights=0, biases=0) for name, shape in shapes.items()]
    drawn = str(silhouette(rows))
    labels = re.findall(r'class="middle quiet" x="([\d.]+)"[^>]*>([^<]+)<', drawn)
    assert len(labels) == 4
    spans = [(float(x) - len(t) * WIDEST / 2, float(x) + len(t) * WIDEST / 2) for x, t in labels]
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))
    assert spans[0][0] >= 0
    assert spans[-1][1] <= float(re.search(r'width="(\d+)"', drawn)[1])
