"""Decoded samples in one memory map, built by worker processes."""
