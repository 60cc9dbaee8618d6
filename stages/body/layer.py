"""What the arrays of the layer `body` mean."""

from stages.bundle import ArraySpec


def body_specs() -> dict[str, ArraySpec]:
    """Return name -> ArraySpec of every array of the layer; NaN = unknown, masks say what is drawn."""
    picture = ("T", "H", "W", "rgb")
    return {
        "map": ArraySpec("uint8", picture, "u8", meaning="skeleton drawn on the canvas"),
        "joints_px": ArraySpec("float32", ("T", "J", "xy"), "px", meaning="on the canvas, adjusted; NaN = unknown"),
        "joints_m": ArraySpec("float32", ("T", "J", "xyz"), "m", meaning="before the canvas's camera, attribute K_px"),
        "joints_valid": ArraySpec("bool", ("T", "J"), meaning="the joint is drawn"),
        "hands_px": ArraySpec("float32", ("T", "hand", "point", "xy"), "px", meaning="on the canvas; left hand first"),
        "hands_valid": ArraySpec("bool", ("T", "hand"), meaning="the hand is drawn"),
        "valid": ArraySpec("bool", ("T",), meaning="something of the body is drawn"),
        "bone_ratio": ArraySpec("float32", ("bone",), "", meaning="reference / driver; names in the attribute bones"),
        "ref_joints_px": ArraySpec("float32", ("one", "J", "xy"), "px", meaning="the reference's joints on the canvas"),
        "ref_joints_m": ArraySpec("float32", ("one", "J", "xyz"), "m", meaning="before the reference's own camera"),
        "ref_hands_px": ArraySpec(
            "float32", ("one", "hand", "point", "xy"), "px", meaning="the reference's hands on the canvas; left first"
        ),
        "ref_hands_valid": ArraySpec("bool", ("one", "hand"), meaning="the reference's hand is drawn"),
        "ref_joints_valid": ArraySpec("bool", ("one", "J"), meaning="the reference's joint is drawn"),
        "ref_frame": ArraySpec("uint8", ("one", "H", "W", "rgb"), "u8", meaning="the reference cut to the canvas"),
        "ref_known": ArraySpec("bool", ("one", "H", "W"), meaning="the photo reaches there; else made up"),
        "ref_matte": ArraySpec("uint8", ("one", "H", "W"), "u8", meaning="how surely a pixel of it is a person"),
        "warp": ArraySpec("uint8", picture, "u8", meaning="the reference's pixels carried to the driver's pose"),
        "warp_kind": ArraySpec(
            "uint8", ("T", "H", "W"), "", (0, 3), meaning="0 hidden, 1 seen background; 2 doubtful, 3 seen figure"
        ),
        "camera_affine": ArraySpec(
            "float32", ("T", "row", "col"), "", meaning="px of the canvas to px of ref_frame, of what stands still"
        ),
        "ref_map": ArraySpec("uint8", ("one", "H", "W", "rgb"), "u8", meaning="the reference's own skeleton"),
    }
