"""The run folder: its files, its lock, its log."""
