"""Transfer: frozen features once, then a ladder of heads and unfrozen stages as high as time allows."""
