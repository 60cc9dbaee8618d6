"""The trained MediaPipe networks without the MediaPipe runtime: our own anchors, regions, tracking."""
