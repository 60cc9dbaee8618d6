"""How a bundle becomes a film in bounded memory: its signals, segment after segment, and the pictures on disk."""
