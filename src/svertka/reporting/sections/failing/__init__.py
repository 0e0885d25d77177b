"""Labels that look wrong, and kinds of pictures on which the network does worse, or that one class owns."""
