"""The body: bone lengths, retargeting, placing on the canvas, and the skeleton as it is drawn."""
