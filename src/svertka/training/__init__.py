"""Training: a recipe (what to do) and a plan (how, on this machine) go into `fit`, a loop that yields records."""
