"""What is found out about a trained model beyond its scores."""
