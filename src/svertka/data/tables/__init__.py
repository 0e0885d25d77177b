"""Sources that are tables or shards: CSV, Parquet, WebDataset."""
