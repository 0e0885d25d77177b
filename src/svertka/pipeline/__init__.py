"""A training from its data to its run folder, in five steps: prepare, build, plan, fit, write results."""
