"""Tables of the face: visemes and emotions as ARKit weights. Both are our choice, tuned by eye."""

from __future__ import annotations


def _both(**weights: float) -> dict[str, float]:
    """Weights for the left and the right side."""
    return {f"{name}{side}": weight for name, weight in weights.items() for side in ("Left", "Right")}


VISEMES: dict[str, dict[str, float]] = {
    "sil": {},
    "PP": {"mouthRollLower": 0.3, "mouthRollUpper": 0.3, **_both(mouthPress=0.4)},
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

LOWER_FACE = ("jaw", "mouth", "tongue")  # units whose names start so are shared between speech and emotion

_SMILE = _both(mouthSmile=0.8, cheekSquint=0.5, eyeSquint=0.3)
EMOTIONS: dict[str, dict[str, float]] = {
    "smile": _SMILE,
    "closed smile": {**_both(mouthSmile=0.7, mouthDimple=0.4, mouthPress=0.2, cheekSquint=0.35)},
    "laugh": {"jawOpen": 0.5, **_both(mouthSmile=0.95, cheekSquint=0.8, eyeSquint=0.6, mouthUpperUp=0.45)},
    "angry": _both(browDown=0.95, noseSneer=0.5, mouthPress=0.5, eyeSquint=0.4),
    "sad": {"browInnerUp": 0.9, "mouthShrugLower": 0.5, **_both(mouthFrown=0.8)},
    "surprise": {"browInnerUp": 0.8, "jawOpen": 0.45, **_both(browOuterUp=0.9, eyeWide=0.9)},
    "fear": {"browInnerUp": 0.9, "jawOpen": 0.2, **_both(eyeWide=0.8, mouthStretch=0.7, mouthLowerDown=0.3)},
    "disgust": _both(noseSneer=0.9, mouthUpperUp=0.5, browDown=0.5, eyeSquint=0.3),
    "smirk": {"mouthSmileLeft": 0.8, "mouthDimpleLeft": 0.6, "browOuterUpRight": 0.5, "mouthLeft": 0.2},
    "doubt": {"browDownLeft": 0.5, "browOuterUpRight": 0.8, "mouthRight": 0.3, **_both(mouthFrown=0.3)},
    "think": {"mouthPucker": 0.3, "mouthLeft": 0.3, **_both(browDown=0.4, eyeSquint=0.3)},
    "pout": {"mouthPucker": 0.7, "mouthShrugLower": 0.6, "browInnerUp": 0.3},
    "kiss": {"mouthPucker": 1.0, "mouthFunnel": 0.25},
    "puff": {"cheekPuff": 0.95, **_both(mouthPress=0.3)},
    "shrug": {"mouthShrugLower": 0.8, "mouthShrugUpper": 0.5, "browInnerUp": 0.5, **_both(browOuterUp=0.6)},
    "bite": {"mouthRollLower": 0.9, **_both(mouthSmile=0.3)},
    "press": {"mouthRollLower": 0.6, "mouthRollUpper": 0.6, **_both(mouthPress=0.6)},
    "teeth": {"jawOpen": 0.05, **_both(mouthUpperUp=0.6, mouthLowerDown=0.8, mouthStretch=0.5)},
    "shout": {"jawOpen": 0.9, **_both(browDown=0.5, mouthUpperUp=0.5, mouthLowerDown=0.6, noseSneer=0.4)},
    "yawn": {"jawOpen": 0.85, "mouthFunnel": 0.2, "browInnerUp": 0.3, **_both(eyeSquint=0.7, eyeBlink=0.6)},
    "sleepy": _both(eyeBlink=0.4, mouthFrown=0.15),
    "wink": {"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.6, "mouthSmileLeft": 0.6, "mouthSmileRight": 0.3},
    "tongue": {"tongueOut": 0.9, "jawOpen": 0.4, **_both(mouthSmile=0.3)},
    "jaw": {"jawLeft": 0.6, "jawForward": 0.5},
    "brows": {"browInnerUp": 0.6, **_both(browOuterUp=0.7)},
}
# Most of what faces do is friendly or small: with equal shares people looked stern.
EMOTION_SHARES: dict[str, float] = {
    "smile": 9, "closed smile": 6, "laugh": 3, "angry": 1.3, "sad": 1.3, "surprise": 2, "fear": 0.8, "disgust": 0.9,
    "smirk": 2, "doubt": 1.5, "think": 1.5, "pout": 0.8, "kiss": 0.5, "puff": 0.5, "shrug": 1, "bite": 0.5, "press": 1,
    "teeth": 0.6, "shout": 0.5, "yawn": 0.4, "sleepy": 0.6, "wink": 0.6, "tongue": 0.4, "jaw": 0.5, "brows": 2.5,
}  # fmt: skip
