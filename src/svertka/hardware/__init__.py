"""How to compute on this machine: device, precision, threads, memory layout, measured and not guessed."""
