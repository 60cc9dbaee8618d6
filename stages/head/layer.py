"""What the arrays of the layer `head` mean."""

from stages.bundle import ArraySpec


def head_specs() -> dict[str, ArraySpec]:
    """Return name -> ArraySpec of every array of the layer; NaN = no head in that frame."""
    return {
        "map": ArraySpec("uint8", ("T", "H", "W", "rgb"), "u8", meaning="head sphere, colour = normal in head axes"),
        "R_cam_head": ArraySpec("float32", ("T", "row", "col"), "", (-1.001, 1.001), meaning="head to camera axes"),
        "center_px": ArraySpec("float32", ("T", "xy"), "px", meaning="middle of the sphere on the canvas"),
        "radius_px": ArraySpec("float32", ("T",), "px", meaning="of the sphere on the canvas"),
        "radius_m": ArraySpec("float32", (), "m", (0.05, 0.3), meaning="of the driver's head"),
        "valid": ArraySpec("bool", ("T",), meaning="a head is drawn"),
        "source": ArraySpec("uint8", ("T",), "", (0, 2), meaning="0 none, 1 face, 2 body"),
        "ref_R_cam_head": ArraySpec("float32", ("row", "col"), "", (-1.001, 1.001), meaning="the reference's head"),
        "ref_center_px": ArraySpec("float32", ("xy",), "px", meaning="the reference's head on the canvas"),
        "ref_radius_px": ArraySpec("float32", (), "px", meaning="the reference's head on the canvas"),
        "ref_map": ArraySpec("uint8", ("one", "H", "W", "rgb"), "u8", meaning="the reference's own head sphere"),
    }
