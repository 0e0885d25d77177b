"""The settings: those chosen by svertka with the reason, and the rest."""
