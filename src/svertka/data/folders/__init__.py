"""Sources that are folders and archives of files."""
