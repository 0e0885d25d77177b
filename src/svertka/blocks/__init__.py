"""Modules that networks are made of."""

from svertka.blocks.net import Net
from svertka.blocks.netvlad import NetVLAD, with_netvlad

__all__ = ["Net", "NetVLAD", "with_netvlad"]
