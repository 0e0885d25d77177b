"""Which file learns and which judges; copies stay on one side."""
