"""Where the time goes, and how much of it a training will take."""
