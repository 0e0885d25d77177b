"""Each class with the share of its pictures that is found, the weakest first."""
