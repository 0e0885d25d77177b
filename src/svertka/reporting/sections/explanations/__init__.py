"""What is in the network: first filters, maps of one picture, what a place sees, what excites a channel."""
