"""Methods that say where a network looked, a row each in the registry."""
