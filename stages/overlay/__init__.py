"""Drawings that show a person what a stage found: landmarks, boxes, axes and control maps over the frame."""
