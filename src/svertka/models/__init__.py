"""Models as they are kept: the network as data, its weights, class names and preprocessing.

model      Model, on disk and in memory
structure  a network as plain data, and again as a network, of the blocks that are `saved_as` something
describe   how a network is called, and how it is built again
"""

from svertka.models.describe import build, describe
from svertka.models.model import FORMAT, Model, answer
from svertka.models.structure import outline, rebuild

__all__ = ["FORMAT", "Model", "answer", "build", "describe", "outline", "rebuild"]
