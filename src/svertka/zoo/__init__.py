"""The networks, one family a file, and the functions that build any of them by name.

A family file defines `VARIANTS`, a tuple of rows (see registry.Variant). Add its name to FAMILIES (factory.py) and it
is known to every verb, to the table of networks and to the contract test.
"""

from svertka.zoo.factory import FAMILIES, empty_net, fresh_net, make, variant, variants, without_storage
from svertka.zoo.pretrained import net
from svertka.zoo.registry import Variant

__all__ = ["FAMILIES", "Variant", "empty_net", "fresh_net", "make", "net", "variant", "variants", "without_storage"]
