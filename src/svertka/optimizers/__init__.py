"""Optimizers, one a file: torch.optim takes 1.2 s to import, and these take none (LOG.md, 2026-11-22)."""
