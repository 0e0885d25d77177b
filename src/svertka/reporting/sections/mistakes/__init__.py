"""The most confident wrong answers, with where the network looked where the run keeps that."""
