"""Progress on stderr: a plain line every 10 s, and its speed belongs to the part that runs."""

import dreamactor_cli.console as console


def test_plain_progress_every_ten_seconds(monkeypatch, capfd):
    clock = [100.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: clock[0])
    with console.Console().progress("x/clip.mp4") as say:
        for second in range(1, 26):
            clock[0] = 100.0 + second
            say(second * 4, 200, "pose")
    assert capfd.readouterr().err == "clip.mp4: 40/200 pose (4.0/s)\nclip.mp4: 80/200 pose (4.0/s)\n"


def test_each_part_has_its_own_speed(monkeypatch, capfd):
    clock = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: clock[0])
    with console.Console().progress("clip.mp4") as say:
        clock[0] = 9.0
        say(90, 90, "decode")
        say(0, None, "pose")
        clock[0] = 14.0
        say(10, None, "pose")
    assert capfd.readouterr().err == "clip.mp4: 10 pose (2.0/s)\n"


def test_quiet_progress_is_silent(monkeypatch, capfd):
    monkeypatch.setattr(console.time, "monotonic", iter(range(0, 10_000, 100)).__next__)
    with console.Console(quiet=True).progress("clip.mp4") as say:
        say(1, 2, "pose")
    assert capfd.readouterr().err == ""
