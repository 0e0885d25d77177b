"""What a recipe leaves open, chosen from the data with the reason."""
