"""Where the seconds went."""
