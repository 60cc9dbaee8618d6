"""Synthetic people: short clips of textured, clothed, animated persons with exact ground truth."""
