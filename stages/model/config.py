"""Sizes of the networks, as literal presets.

A preset is a plain frozen dataclass: what stands here is what is built, and a checkpoint carries the same numbers.
"""

from dataclasses import asdict, dataclass, field

SOLVERS = ("euler", "dpm2m")  # see stages.model.sampler
PREDICTIONS = ("data", "velocity")  # see stages.model.flow


@dataclass(frozen=True)
class VaeConfig:
    latent_channels: int = 16
    encoder_widths: tuple[int, int] = (64, 160)  # at a quarter and an eighth of the picture's side
    encoder_depth: int = 2
    decoder_widths: tuple[int, int, int] = (224, 96, 40)  # at an eighth, a quarter and half of the side
    decoder_depth: int = 2


@dataclass(frozen=True)
class DitConfig:
    latent_channels: int = 16
    width: int = 256
    depth: int = 8
    heads: int = 4
    patch: int = 2  # latent cells on a side of one token; in time a token is one latent frame
    pose_channels: int = 48  # what the pose encoder adds to each latent cell
    face_channels: int = 32  # width of one face motion token as it comes from the encoder
    face_tokens: int = 4  # tokens a source frame
    max_references: int = 4
    keep_detail: int = 4  # squares on a side of a latent cell in the keep map: 4 = squares of 2 px
    predicts: str = "data"  # what the last layer stands for; `DiT.predict` returns clean latents either way

    def __post_init__(self):
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(f"width {self.width} does not split into {self.heads} heads of even size")
        if self.predicts not in PREDICTIONS:
            raise ValueError(f"predicts {self.predicts!r}: expected one of {PREDICTIONS}")


@dataclass(frozen=True)
class CompositorConfig:
    """Defaults are those of the first shipped compositor, whose file does not name what came later."""

    widths: tuple[int, int, int] = (40, 80, 128)  # at a half, a quarter and an eighth of the side
    depth: int = 2  # blocks at an eighth
    maps: bool = False  # sees the skeleton and sphere maps
    shift_px: float = 0.0  # how far it may move the photo and the carried photo along each axis

    @classmethod
    def from_dict(cls, values: dict) -> "CompositorConfig":
        """Return the configuration stored with a compositor; TypeError where a name is unknown.

        `measured`, what a benchmark wrote beside it about the weights, is left aside.
        """
        return cls(**_tuples({name: value for name, value in values.items() if name != "measured"}))


@dataclass(frozen=True)
class ModelConfig:
    """One animation model: its VAE, its transformer, and the canvas and segment it was trained on."""

    name: str
    size: int  # side of the square canvas in px it was trained on
    segment_frames: int  # frames made in one go, 4k+1
    vae: VaeConfig = field(default_factory=VaeConfig)
    dit: DitConfig = field(default_factory=DitConfig)
    compositor: CompositorConfig = field(default_factory=CompositorConfig)

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "ModelConfig":
        """Return the configuration stored in a checkpoint; TypeError where a name is unknown or missing.

        `measured`, what a benchmark wrote beside it about the weights, is left aside.
        """
        values = {name: value for name, value in values.items() if name != "measured"}
        parts = {"vae": VaeConfig, "dit": DitConfig, "compositor": CompositorConfig}
        built = {name: kind(**_tuples(values[name])) for name, kind in parts.items()}
        return cls(**{**values, **built})


def _tuples(values: dict) -> dict:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


# Presets by name. `default` is trained by us and shipped; `tiny` exists for tests; `base256` is the same code at 256 px
# for whoever trains with a GPU.
PRESETS: dict[str, ModelConfig] = {
    "default": ModelConfig(
        name="default", size=128, segment_frames=17, compositor=CompositorConfig(maps=True, shift_px=4.0)
    ),
    "base256": ModelConfig(
        name="base256", size=256, segment_frames=73,
        vae=VaeConfig(encoder_widths=(96, 192), decoder_widths=(256, 128, 48)),
        dit=DitConfig(width=384, depth=10, heads=6),
        compositor=CompositorConfig(widths=(64, 128, 192), maps=True, shift_px=8.0),
    ),
    "tiny": ModelConfig(
        name="tiny", size=64, segment_frames=9,
        vae=VaeConfig(encoder_widths=(16, 16), encoder_depth=1, decoder_widths=(16, 16, 16), decoder_depth=1),
        dit=DitConfig(width=32, depth=2, heads=2, pose_channels=8),
        compositor=CompositorConfig(widths=(8, 8, 8), depth=1, maps=True, shift_px=2.0),
    ),
}  # fmt: skip
