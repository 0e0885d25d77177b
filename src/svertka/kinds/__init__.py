"""Kinds of samples: what a picture is, and only these folders know it."""
