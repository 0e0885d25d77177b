"""What every room uses: text, time, random numbers keyed by a counter, the start of the process."""
