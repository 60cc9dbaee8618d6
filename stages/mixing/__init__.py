"""Several drivers as one: time brought to one clock, a head on another body, layers copied."""
