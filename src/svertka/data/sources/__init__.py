"""What a source is, and which kind is which."""
