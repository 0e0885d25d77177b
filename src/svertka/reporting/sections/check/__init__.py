"""What `svertka check` found before training, with the pictures it is about."""
