"""How a picture becomes input, drawn on one: as it was, brought to size, and as the numbers that the network sees."""
