"""What is needed to get the same result."""
