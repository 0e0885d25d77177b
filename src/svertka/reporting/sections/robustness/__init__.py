"""How accuracy falls as pictures are turned, moved, blurred, ...: where `report --full` has measured it."""
