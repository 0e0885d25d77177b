"""Modules that networks are made of."""

from svertka.blocks.net import Net

__all__ = ["Net"]
