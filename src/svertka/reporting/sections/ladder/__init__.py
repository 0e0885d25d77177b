"""The transfer ladder: the ways in which the weights it started from were used, each with what it scored."""
