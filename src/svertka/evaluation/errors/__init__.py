"""Where a classifier errs: slices, suspected labels, confusions."""
