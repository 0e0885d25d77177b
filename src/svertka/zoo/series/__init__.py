"""Networks for one dimension: sound, series, text."""
