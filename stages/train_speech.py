"""Trains the network audio2face hears with: voices that know when they said what, then mouths from their sound.

Reads   programs the machine has: espeak-ng, flite, festival, fluidsynth; and a folder of neural voices, if given.
Writes  a folder with speech.safetensors (what `audio2face --network` loads), log.jsonl, pool/ (programmes of speech and
        music) and work/ (the state). Running the same command again goes on where it stopped, also after kill -9.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stages.core.errors import Checkpointed, ConflictError, UsageError
from stages.core.records import Plan, Record

STAGE = "train-speech"
VERSION = 1
ENGINES = ("flite", "festival", "espeak", "neural", "music")
_DECIDE = ("voices", "share", "steps", "seed", "start", "aligner")
_SETTINGS = "settings.json"
_FIRST_SHARE = 0.6  # of the steps see only voices that know their times; the network then mends those of the others

# a network that has learned already forgets at the rates of one that has not
_RATES = {"first": {}, "second": {"lr": 1.2e-3, "muon_lr": 7e-3},
          "further": {"lr": 8e-4, "muon_lr": 4e-3, "decay_from_01": 0.3}}  # fmt: skip


@dataclass(frozen=True)
class Params:
    """Settings of train-speech.

    out      folder of the run
    voices   what speaks and plays, names of ENGINES joined by commas
    neural   folder of the neural voices (docs/speech.md says where to get it)
    share    of the usual number of programmes
    steps    of learning
    minutes  of this call; 0 = no limit. When they are over it saves and exits with 75
    seed     of texts, voices, rooms, noises and weights
    threads  CPU threads; 0 = as many as the machine has
    start    weights to go on from ("default" = those shipped); all steps then see all voices. Empty = from nothing
    aligner  neural voices at the times of pocketsphinx, not at those the network finds
    """

    out: str = "speech-training"
    voices: str = "flite,festival,espeak,music"
    neural: str = ""
    share: float = 1.0
    steps: int = 3000
    minutes: float = 0.0
    seed: int = 0
    threads: int = 0
    start: str = ""
    aligner: bool = False


def plan(item: str | os.PathLike[str], params: Params) -> Plan:
    """What `run` would do with the folder of a run.

    errors  UsageError: bad parameter. ConflictError: the folder holds a run with other settings
    """
    from stages.bundle import layer_key

    _check(params)
    wanted = {name: getattr(params, name) for name in _DECIDE}
    settings = Path(item) / _SETTINGS
    found = {"start": "", "aligner": False, **(json.loads(settings.read_text()) if settings.is_file() else wanted)}
    other = [name for name in _DECIDE if found[name] != wanted[name]]
    if other:
        raise ConflictError(
            f"{item}: holds a run with --{other[0]} {found[other[0]]}, now {wanted[other[0]]}. Go on with its settings "
            "or give another --out"
        )
    done = (Path(item) / "speech.safetensors").is_file()
    return Plan("skip" if done else "write", layer_key(STAGE, VERSION, wanted, {}), str(item))


def run(
    item: str | os.PathLike[str], params: Params, progress: Callable[[int, int | None, str], None] | None = None
) -> Record:
    """The Record of the run; data holds the last line of the log.

    progress  called with (programmes or steps done, of how many, what)
    errors    those of `plan`; Checkpointed (75): the minutes are over or SIGTERM or SIGUSR1 came, and all is saved;
              WeightsError: a program or the neural voices are not there
    """
    started = time.monotonic()
    todo = plan(item, params)
    if todo.action == "skip":
        return Record(STAGE, str(item), "skipped", todo.key, time.monotonic() - started)
    from stages.audio.network import config_to_dict, load_speech_face
    from stages.core.device import set_threads
    from stages.training.course import Course, Log, Slice
    from stages.training.speech_align import ROUGH, aligned
    from stages.training.speech_loop import SpeechRecipe, train_speech
    from stages.training.speech_pool import balanced, fill_speech_pool, read_programmes
    from stages.weights.checkpoint import save_checkpoint

    folder = Path(item)
    (folder / "work").mkdir(parents=True, exist_ok=True)
    (folder / _SETTINGS).write_text(json.dumps({name: getattr(params, name) for name in _DECIDE}, indent=1))
    set_threads(params.threads or None)
    log = Log(folder / "log.jsonl")

    def tell(done: int, total: int | None, note: str) -> None:
        if progress is not None:
            progress(done, total, note)

    def say(part: str, **values) -> None:
        log(part, **values)
        tell(values["step"], values["of"] or None, "steps")

    time_slice = Slice(params.minutes)
    stop = time_slice.over
    with time_slice.heeding_signals():
        if not fill_speech_pool(
            folder / "pool", engines=tuple(params.voices.split(",")), share=params.share, seed=params.seed, stop=stop,
            neural=Path(params.neural) if params.neural else None, progress=lambda a, b: tell(a, b, "programmes"),
        ):  # fmt: skip
            raise _stopped(folder, "the voices")
        trained = read_programmes(folder / "pool", "train")
        watched = read_programmes(folder / "pool", "choose" if _has_voices_to_choose_by(params.voices) else "test")
        start, parts = None, (("first", _FIRST_SHARE), ("second", 1 - _FIRST_SHARE))
        programmes = [programme for programme in trained if programme.engine not in ROUGH]
        if params.start:
            network = load_speech_face(params.start).network
            start, parts = network.state_dict(), (("further", 1.0),)
            programmes = aligned(trained, network, aligner=params.aligner)
        for part, share in parts:
            steps = max(1, round(share * params.steps))
            recipe = SpeechRecipe(steps=steps, **_RATES[part])
            network = train_speech(
                folder / "work" / f"{part}.safetensors", balanced(programmes), watched, recipe, Course(steps), stop,
                seed=params.seed, say=partial(say, part), start=start,
            )  # fmt: skip
            if network is None:
                raise _stopped(folder, "learning")
            if part == "first":
                start, programmes = network.state_dict(), aligned(trained, network, aligner=params.aligner)
    save_checkpoint(folder / "speech.safetensors", network.state_dict(), config_to_dict(network.config))
    return Record(STAGE, str(folder), "written", todo.key, time.monotonic() - started, data=log.lines()[-1])


def _stopped(folder: Path, where: str) -> Checkpointed:
    return Checkpointed(f"{folder}: stopped in {where}, all is saved. Run the same command again to go on")


def _has_voices_to_choose_by(voices: str) -> bool:
    from stages.training.speech_pool import CHOSEN_BY

    return any(CHOSEN_BY.get(name) for name in voices.split(","))


def _check(params: Params) -> None:
    names = params.voices.split(",")
    unknown = [name for name in names if name not in ENGINES]
    if unknown or not set(names) - {"music", "neural"}:
        raise UsageError(f"--voices: found {params.voices!r}, expected some of {','.join(ENGINES)}, not neural alone")
    if "neural" in names and not params.neural:
        raise UsageError("--voices neural: found no --neural, expected the folder of the neural voices")
    if params.steps < 1 or params.minutes < 0 or params.threads < 0 or not params.share > 0:
        raise UsageError("--steps, --share, --minutes, --threads: expected 1 or more, above 0, 0 or more, 0 or more")
