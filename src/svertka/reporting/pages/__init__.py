"""Pages of their own beside the report of a run."""
