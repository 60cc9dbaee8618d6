"""One file per subcommand. The tables are literal, in the order of a pipe: name -> (module, short help)."""

COMMANDS = {
    "encode-face": ("dreamactor_cli.commands.encode_face", "Add face: face crops and their motion tokens."),
    "bundle": ("dreamactor_cli.commands.bundle", "Look into bundles: show, validate."),
    "weights": ("dreamactor_cli.commands.weights", "Pretrained networks: list, fetch, show."),
}

STAGES = {
    "encode-face": "stages.encode_face",
}
