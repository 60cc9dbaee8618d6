"""The arrays of the layer `face`, whoever wrote it: encode-face from pictures or audio2face from speech."""

from stages.bundle import ArraySpec


def face_specs() -> dict[str, ArraySpec]:
    """ArraySpec of every array the layer may have; crops only where encode-face was asked to keep them."""
    return {
        "tokens": ArraySpec("float32", ("T", "N", "C"), meaning="motion tokens of the face; NaN = no face seen"),
        "valid": ArraySpec("bool", ("T",), meaning="a face was seen and encoded"),
        "crop_affine": ArraySpec(
            "float32", ("T", "row", "col"), "px", meaning="source px to 224x224 crop px; NaN = no face"
        ),
        "crops": ArraySpec("uint8", ("T", "H", "W", "rgb"), "u8", meaning="the crops as encoded; black = no face"),
    }
