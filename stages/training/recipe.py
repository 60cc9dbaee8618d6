"""How long each part of a training is and what its batches are, as one literal recipe a preset.

Lengths are in steps, so that the same command gives the same weights however often it was stopped. `course` turns a
number of minutes into steps for whoever would rather say how long the machine may work.
"""

from dataclasses import dataclass, replace

from stages.training.loop import PHASES, Phase


@dataclass(frozen=True)
class Bite:
    """One kind of VAE batch: `batch` clips of `frames` (4k+1) frames, cut to squares of `side` px (0 = uncut)."""

    side: int
    frames: int
    batch: int
    share: float = 1.0


@dataclass(frozen=True)
class DecoderRecipe:
    """What the decoder learns alone once encoder and scale of the latents are fixed (stages.training.decoder_loop).

    natural     share of the films that are procedural pictures (stages.training.natural) instead of people
    photographs share of those that are parts of a few photographs (stages.training.photographs)
    perceptual  trunk of LPIPS in the loss: alex, vgg; "" = none
    share_01    of the minutes of the VAE's part
    """

    steps: int
    bites: tuple[Bite, ...]
    natural: float = 0.5
    photographs: float = 0.0
    perceptual: str = "alex"
    lr: float = 3e-4
    muon_lr: float = 1.5e-3
    latent_noise: float = 0.06
    ema_decay: float = 0.99
    share_01: float = 0.3


@dataclass(frozen=True)
class VaeRecipe:
    """Most steps see small crops of short clips, because pixels are cheapest there; the last see whole frames."""

    steps: int
    bites: tuple[Bite, ...]
    last_bite: Bite
    last_from_01: float = 0.8
    lr: float = 7e-4
    muon_lr: float = 4e-3
    latent_noise: float = 0.06  # at most; the decoder must not mind what the transformer gets slightly wrong
    ema_decay: float = 0.99
    decoder: DecoderRecipe | None = None  # None: the decoder stays as it learned beside the encoder


@dataclass(frozen=True)
class FaceRecipe:
    """`points`: weight of finding the face points in the features.

    directions     that all units but jaw, mouthClose and lids share in the end (stages.training.face_readout)
    person         how much what varies between people counts against such a direction
    readout_crops  that they are found on, of close-ups where there are any
    """

    steps: int
    batch: int = 64
    points: float = 0.3
    directions: int = 5
    person: float = 6.0
    readout_crops: int = 10_000
    lr: float = 2e-3
    muon_lr: float = 2e-2
    ema_decay: float = 0.995


@dataclass(frozen=True)
class CompositorRecipe:
    """`rehearsals`: clips that the trained transformer is made to sample for it; `batch` in frames, in fours.

    perceptual  trunk of LPIPS in the loss (stages.training.perceptual): alex, vgg; "" = none, and none is fetched
    crop_px     side of the squares that most steps see, because pixels cost time; 0 = always whole frames
    fine_01     share of the steps on the large canvas (Recipe.fine)
    """

    rehearsals: int
    steps: int
    batch: int = 16
    perceptual: str = "alex"
    crop_px: int = 64
    fine_01: float = 0.75
    whole_from_01: float = 0.8
    lr: float = 1e-3
    muon_lr: float = 1e-2
    ema_decay: float = 0.995


@dataclass(frozen=True)
class Recipe:
    """A whole training.

    clips         rendered for it; clip_frames: contiguous frames of each, 4k+1; views: pictures by other cameras
    close_ups     people rendered for the face encoder alone (stages.training.face_people); 0 = none
    fine          clips are rendered and carried with so many times the model's side; the compositor learns from both
    phases        of the transformer (stages.training.loop); phase_steps: length of each
    minute_shares of --total-minutes for VAE, face encoder, transformer and compositor
    """

    clips: int
    clip_frames: int
    close_ups: int
    vae: VaeRecipe
    face: FaceRecipe
    phases: tuple[Phase, ...]
    phase_steps: tuple[int, ...]
    compositor: CompositorRecipe
    fine: int = 1
    minute_shares: tuple[float, float, float, float] = (0.22, 0.08, 0.55, 0.15)
    views: int = 2

    def last_stage(self) -> "Recipe":
        """The same recipe with stage 3 of the transformer alone, for weights that have been through the others."""
        kept = [(phase, steps) for phase, steps in zip(self.phases, self.phase_steps, strict=True) if phase.stage == 3]
        total = sum(phase.share for phase, _ in kept)
        phases = tuple(replace(phase, share=phase.share / total) for phase, _ in kept)
        return replace(self, phases=phases, phase_steps=tuple(steps for _, steps in kept))

    def scaled(self, scale: float) -> "Recipe":
        """The same recipe with every number of steps multiplied (at least one step each)."""

        def times(steps: int) -> int:
            return max(1, round(steps * scale))

        decoder = self.vae.decoder and replace(self.vae.decoder, steps=times(self.vae.decoder.steps))
        return replace(
            self,
            vae=replace(self.vae, steps=times(self.vae.steps), decoder=decoder),
            face=replace(self.face, steps=times(self.face.steps)),
            phase_steps=tuple(times(steps) for steps in self.phase_steps),
            compositor=replace(self.compositor, steps=times(self.compositor.steps)),
        )


_CROPS = (Bite(64, 9, 8, 0.5), Bite(64, 5, 12, 0.3), Bite(64, 17, 4, 0.1), Bite(64, 1, 24, 0.1))

RECIPES: dict[str, Recipe] = {
    # An evening on two cores. Seconds a step on one core of a busy server: VAE 3.2, face encoder 0.12, phases of the
    # transformer 1.6, 1.7, 1.0, 1.25; a person's close-ups 0.7.
    "default": Recipe(
        clips=1840,
        clip_frames=17,
        close_ups=3000,
        vae=VaeRecipe(
            steps=1500,
            bites=_CROPS,
            last_bite=Bite(0, 9, 2),
            decoder=DecoderRecipe(
                steps=1800,
                bites=(Bite(64, 5, 6, 0.4), Bite(64, 1, 16, 0.6)),
                natural=0.2,
                photographs=0.4,
                lr=1.2e-3,
                muon_lr=8e-3,
            ),
        ),
        face=FaceRecipe(steps=9400),
        phases=PHASES,
        phase_steps=(2400, 1000, 700, 2600),
        compositor=CompositorRecipe(rehearsals=900, steps=2500),
        fine=2,
    ),
    "base256": Recipe(  # for a GPU; lengths are a plan, not yet a measurement
        clips=12000,
        clip_frames=73,
        close_ups=12000,
        vae=VaeRecipe(
            steps=16000,
            bites=(Bite(96, 9, 24, 0.5), Bite(96, 5, 40, 0.3), Bite(96, 17, 12, 0.1), Bite(96, 1, 96, 0.1)),
            last_bite=Bite(0, 9, 8),
            decoder=DecoderRecipe(
                steps=4000, bites=(Bite(128, 5, 16, 0.4), Bite(128, 1, 64, 0.6)), natural=0.2, photographs=0.4
            ),
        ),
        face=FaceRecipe(steps=12000, batch=256),
        phases=(
            Phase(stage=1, share=0.30, frames=(1,), batch=(128,)),
            Phase(stage=1, share=0.20, frames=(1, 9, 25), batch=(128, 40, 16), lr=0.8e-3),
            Phase(stage=2, share=0.10, frames=(1, 9), batch=(128, 40), lr=1e-3),
            Phase(stage=3, share=0.40, frames=(1, 9, 25, 73), batch=(128, 40, 16, 5), lr=0.7e-3),
        ),
        phase_steps=(16000, 6000, 3000, 9000),
        compositor=CompositorRecipe(rehearsals=4000, steps=12000, batch=64),
    ),
    "tiny": Recipe(  # for tests: everything once, in seconds
        clips=4,
        clip_frames=9,
        close_ups=2,
        vae=VaeRecipe(
            steps=6,
            bites=(Bite(32, 5, 2, 0.5), Bite(32, 1, 4, 0.5)),
            last_bite=Bite(0, 9, 1),
            decoder=DecoderRecipe(steps=3, bites=(Bite(32, 5, 2, 0.5), Bite(32, 1, 4, 0.5)), perceptual=""),
        ),
        face=FaceRecipe(steps=4, batch=8, readout_crops=64),
        phases=(
            Phase(stage=1, share=0.4, frames=(1, 5), batch=(4, 2)),
            Phase(stage=2, share=0.2, frames=(1, 5), batch=(4, 2)),
            Phase(stage=3, share=0.4, frames=(1, 9), batch=(4, 1)),
        ),
        phase_steps=(3, 2, 2),
        compositor=CompositorRecipe(rehearsals=4, steps=3, batch=4, perceptual="", crop_px=32),
        fine=2,
    ),
}
