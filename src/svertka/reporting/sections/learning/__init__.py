"""Curves of loss and accuracy over the epochs."""
