"""Augmentation of pictures: uint8 (n, h, w, c) -> the same, each with random numbers of its own."""
