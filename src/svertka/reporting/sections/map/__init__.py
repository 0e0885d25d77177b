"""The frozen network's view of the data: a map of the pictures, a panel for each class, and who looks like whom."""
