"""The figures of extraction_tables as Markdown, for bench_extraction.py."""

_GROUPS = ("all", "jaw", "brows", "nose", "eyes", "mouth")


def markdown(figures):
    """Text of all tables. A pair "1.2 / 3.4" is median / 90th percentile; "-" = nothing to measure."""
    size = " and ".join(f"{side}x{side}" for side in figures["size"])
    parts = [
        f"{figures['frames']} frames at {size}. Errors are median / 90th percentile.",
        "### By framing and by view\n\n" + _overview(figures["framing"], figures["view"]),
        "### By joint\n\n" + _joints(figures["joint"], list(figures["framing"])),
        "### Head, by yaw in degrees\n\n" + _heads(figures["head"]),
        "### Hands\n\n" + _hands(figures["hands"], figures["hand"]),
        "### Face points\n\n" + (_faces(figures["face"]) if "face" in figures else "No face points in this build."),
    ]
    return "\n\n".join(parts) + "\n"


def _overview(framings, views):
    columns = {**framings, **{f"{name} deg": value for name, value in views.items()}}
    rows = [
        ("frames", lambda f: str(f["frames"])),
        ("person's height, px", lambda f: _text(f["height_px"], 0)),
        ("person found, %", lambda f: _percent(f["present"])),
        ("seen joints found, %", lambda f: _percent(f["joints_found"])),
        ("joints outside the picture called seen, %", lambda f: _percent(f["false_joints"])),
        ("seen joints, mean, % of height", lambda f: _text(f["mean_percent"], 2)),
        ("seen joints, % of height", lambda f: _pair(f, "percent", 2)),
        ("seen joints, px", lambda f: _pair(f, "px")),
        ("hidden joints, % of height", lambda f: _pair(f, "hidden_percent", 2)),
        ("3D, pelvis at 0, mm", lambda f: _pair(f, "pelvis_mm", 0)),
        ("3D, best similarity, mm", lambda f: _pair(f, "aligned_mm", 0)),
        ("face mesh found, %", lambda f: _percent(f["faces"])),
        ("head rotation found, %", lambda f: _percent(f["heads"])),
        ("head rotation, degrees", lambda f: _pair(f, "head_deg")),
        ("head centre, % of radius", lambda f: _pair(f, "center_percent")),
        ("head radius, %", lambda f: _pair(f, "radius_percent")),
        ("head radius, constant part, %", lambda f: _text(f["radius_offset_percent"], 1)),
    ]
    return _table(["", *columns], [[name, *(cell(value) for value in columns.values())] for name, cell in rows])


def _joints(joints, framings):
    rows = []
    for name, joint in joints.items():
        cells = [_pair(joint[framing], "percent") for framing in framings]
        offset = f"{_text(joint['outwards_percent'], 1)}, {_text(joint['down_percent'], 1)}"
        rows.append([name, str(joint["all"]["frames"]), _percent(joint["all"]["found"]), *cells, _pair(joint, "px", 0),
                     _pair(joint["hidden"], "percent"), offset])  # fmt: skip
    head = ["joint", "seen", "found, %", *(f"{name}, %" for name in framings), "px", "hidden, %", "offset out, down, %"]
    return _table(head, rows)


def _heads(heads):
    rows = [
        [name, str(h["frames"]), _percent(h["heads"]), _percent(h["from_face"]), _pair(h, "deg"),
         _pair(h, "center_percent"), _pair(h, "radius_percent")]
        for name, h in heads.items()
    ]  # fmt: skip
    return _table(
        ["yaw", "frames", "found, %", "by the face, %", "rotation, deg", "centre, % of radius", "radius, %"], rows
    )


def _hands(framings, joints):
    rows = [
        [
            name,
            str(h["shown"]),
            _percent(h["found"]),
            _percent(h["false"]),
            _percent(h["swapped"]),
            _pair(h, "percent", 2),
        ]
        for name, h in framings.items()
    ]
    one = _table(
        ["", "hands seen", "found, %", "hidden ones found, %", "on the other hand, %", "points, % of height"], rows
    )
    points = [[name, str(joint["seen"]), _pair(joint, "percent", 2)] for name, joint in joints.items()]
    return one + "\n\n" + _table(["point", "seen", "% of height"], points)


def _faces(faces):
    rows = [
        [name, str(f["frames"]), _percent(f["found"]), *(_pair(f[group], "percent") for group in _GROUPS),
         _pair(f["all"], "eyes_percent")]
        for name, f in faces.items()
    ]  # fmt: skip
    return _table(["", "frames", "found, %", *(f"{g}, % of radius" for g in _GROUPS), "all, % of eye corners"], rows)


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _pair(values, name, digits=1):
    return f"{_text(values[f'{name}_median'], digits)} / {_text(values[f'{name}_p90'], digits)}"


def _percent(share):
    return "-" if share is None else f"{100 * share:.0f}"


def _text(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"
