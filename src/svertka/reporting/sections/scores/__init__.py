"""All scores, validation and test beside each other."""
