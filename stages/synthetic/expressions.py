"""Tables of the face: visemes and emotions as ARKit weights. Both are our choice, tuned by eye."""

from __future__ import annotations


def _both(**weights: float) -> dict[str, float]:
    """Weights for the left and the right side."""
    return {f"{name}{side}": weight for name, weight in weights.items() for side in ("Left", "Right")}


VISEMES: dict[str, dict[str, float]] = {
    "sil": {},
    "PP": {"mouthClose": 0.1, "mouthRollLower": 0.3, "mouthRollUpper": 0.3, **_both(mouthPress=0.5)},
    "FF": {"mouthRollLower": 0.5, "jawOpen": 0.08, **_both(mouthUpperUp=0.3)},
    "TH": {"jawOpen": 0.18, "tongueOut": 0.35, **_both(mouthLowerDown=0.2)},
    "DD": {"jawOpen": 0.15, **_both(mouthLowerDown=0.3, mouthUpperUp=0.2)},
    "kk": {"jawOpen": 0.2, **_both(mouthStretch=0.2)},
    "CH": {"mouthFunnel": 0.6, "jawOpen": 0.12, "mouthPucker": 0.2},
    "SS": {"jawOpen": 0.05, **_both(mouthStretch=0.4, mouthLowerDown=0.3)},
    "nn": {"jawOpen": 0.12, **_both(mouthLowerDown=0.2)},
    "RR": {"mouthFunnel": 0.4, "jawOpen": 0.15},
    "aa": {"jawOpen": 0.6, **_both(mouthLowerDown=0.2)},
    "E": {"jawOpen": 0.3, **_both(mouthStretch=0.4, mouthSmile=0.2)},
    "I": {"jawOpen": 0.2, **_both(mouthSmile=0.4, mouthStretch=0.3)},
    "O": {"jawOpen": 0.4, "mouthFunnel": 0.6, "mouthPucker": 0.3},
    "U": {"jawOpen": 0.15, "mouthPucker": 0.8, "mouthFunnel": 0.3},
}
VISEME_NAMES = tuple(VISEMES)

_SMILE = _both(mouthSmile=0.8, cheekSquint=0.5, eyeSquint=0.3)
EMOTIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "smile": _SMILE,
    "laugh": {"jawOpen": 0.45, **_both(mouthSmile=0.9, cheekSquint=0.7, eyeSquint=0.5, mouthUpperUp=0.4)},
    "angry": _both(browDown=0.9, noseSneer=0.5, mouthPress=0.4, eyeSquint=0.4),
    "sad": {"browInnerUp": 0.9, "mouthShrugLower": 0.4, **_both(mouthFrown=0.7)},
    "surprise": {"browInnerUp": 0.8, "jawOpen": 0.4, **_both(browOuterUp=0.8, eyeWide=0.8)},
    "disgust": _both(noseSneer=0.8, mouthUpperUp=0.5, browDown=0.4),
    "smirk": {"mouthSmileLeft": 0.7, "mouthDimpleLeft": 0.5, "browOuterUpRight": 0.5},
    "half smile": {name: weight * 0.6 for name, weight in _SMILE.items()},
}
# Half of the time neutral or smiling: with equal shares people looked stern.
EMOTION_SHARES = {
    "neutral": 3,
    "smile": 2,
    "half smile": 1,
    "laugh": 1,
    "angry": 1,
    "sad": 1,
    "surprise": 1,
    "disgust": 1,
    "smirk": 1,
}
