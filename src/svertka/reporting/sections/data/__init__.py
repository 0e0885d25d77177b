"""Where the pictures come from, how many of each class are in each part, and what could not be read."""
