"""One training in several processes, started by torchrun."""
