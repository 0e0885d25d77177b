"""What was forecast and what it took; part by part, where the time went; and what held training up."""
