"""Published weights: the catalog, reading files of every format, renaming their tensors."""
