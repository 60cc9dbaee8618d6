"""One file per subcommand. The tables are literal, in the order of a pipe: name -> (module, short help)."""

_HERE = "dreamactor_cli.commands"

COMMANDS = {
    "extract-pose": (f"{_HERE}.extract_pose", "Begin a bundle: the clip and the person in it."),
    "mix": (f"{_HERE}.mix", "Make one bundle of several drivers: body, head, face."),
    "render-spheres": (f"{_HERE}.render_spheres", "Draw the controls: skeleton and head sphere, fitted to a photo."),
    "encode-face": (f"{_HERE}.encode_face", "Cut out the driver's face and encode its motion."),
    "pick-refs": (f"{_HERE}.pick_refs", "Pick the pictures of a person that show most, for animate --refs."),
    "audio2face": (f"{_HERE}.audio2face", "Move the face by speech; begin a talking portrait from a photo."),
    "animate": (f"{_HERE}.animate", "Make the video of the photo's person."),
    "score": (f"{_HERE}.score", "Score films against real ones; doctor, audit."),
    "report": (f"{_HERE}.report", "Set scored runs side by side: tables, a page with plots and videos."),
    "view": (f"{_HERE}.view", "Make an overlay video or picture of every layer."),
    "bundle": (f"{_HERE}.bundle", "Look into bundles: show, validate; seal edited ones."),
    "weights": (f"{_HERE}.weights", "Pretrained networks: list, fetch, show."),
    "synth": (f"{_HERE}.synth", "Make clips of synthetic people with exact ground truth."),
    "train": (f"{_HERE}.train", "Train the model; stop and go on at any time."),
    "train-speech": (f"{_HERE}.train_speech", "Train the network that audio2face hears with."),
}

STAGES = {
    "extract-pose": "stages.extract_pose",
    "mix": "stages.mix",
    "render-spheres": "stages.render_spheres",
    "encode-face": "stages.encode_face",
    "pick-refs": "stages.pick_refs",
    "audio2face": "stages.audio2face",
    "animate": "stages.animate",
    "score": "stages.score",
    "report": "stages.report",
    "view": "stages.view",
    "synth": "stages.synth",
    "train": "stages.train",
    "train-speech": "stages.train_speech",
}
