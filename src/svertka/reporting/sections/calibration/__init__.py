"""Whether the network's confidence means what it says, and what answering only when sure gives."""
