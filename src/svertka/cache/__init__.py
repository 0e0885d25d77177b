"""Where cached things live, who may use and remove them, and how files come from elsewhere into it."""
