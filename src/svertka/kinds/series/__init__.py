"""Series: numbers in time, float32 (length, channels); files of the UCR and UEA archives."""
