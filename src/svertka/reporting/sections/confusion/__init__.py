"""The confusion matrix, its worst pairs, and of many classes the groups that are taken for each other."""
