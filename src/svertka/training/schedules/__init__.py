"""What changes from step to step: the learning rate, the size of pictures, the number of passes."""
