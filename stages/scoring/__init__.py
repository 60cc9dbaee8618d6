"""What `stages.score` uses: pairs of films in, measured clips on disk, scores.json out."""

STAGE = "score"
VERSION = 1  # of what a clip's bundle holds: another number makes all measurements anew
FRAMES = "frames"  # the layer of a clip's bundle with the sha256 of every frame
