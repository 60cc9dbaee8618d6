"""The last step to pixels: what the transformer made, the photo as it stands, and the photo carried to the pose.

No VAE of this size keeps a shirt's print or a face as sharp as the photo does. So a small network looks at three
pictures of each frame and says, pixel by pixel, how much of each to take, with a small correction on top; where the
photo cannot know (what was hidden, what turned away, another expression) it takes what was made. It may see the control
maps, to know where the head and the limbs should be, and may first move both photos by a few pixels: carried limbs lie
a pixel or two beside where they belong, and mixing what does not lie on each other blurs. Heads it may not move: it
took open lips for lips that lie wrong, and half of what mouths lost between carried photo and film was lost here. What
the reference shows of a head is taken from there alone: what is made of a stranger's face is a stranger's. So is a
mouth that stages.face.carry has painted open, though no photo saw its inside: what is made there is a blurred chin, and
shuts it. And so is a chin, which stands out below the sphere of a head that is bent or opens its mouth. Clothes that
the reference shows lean the same way, less far: mixed with what is made of them, stripes turn to streaks.
Source: our own; decoders that look at the conditioning pictures are usual since ToonCrafter (Xing et al. 2024), fields
that warp the source picture since FOMM (Siarohin et al. 2019).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.model.config import CompositorConfig

SOURCES = 3  # made, still, carried
INPUTS = 3 * SOURCES + 4  # pictures; figure and seen (stages.body.warp); both keep probabilities
MAPS = 6  # skeleton and sphere
_KNOWN = 6.0  # less, in logits, of all but the carried photo where that shows a head that the reference saw
_SHOWN = 3.0  # the same where it shows what the reference saw of the rest of the person; our choice
_MOUTH = (0.0, 0.57, -0.8)  # where the sphere has its mouth, in head axes (stages.head.sphere, stages.face.carry)
_OPEN, _JAW = 0.35, 0.6  # how far around it, in radii, a mouth is painted open; the jaw reaches
_BEYOND = 1.15  # times the sphere's radius: as far as a jaw stands out of it


class _Block(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.first, self.second = nn.Conv2d(channels, channels, 3, 1, 1), nn.Conv2d(channels, channels, 3, 1, 1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        scaled = x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-4)
        return x + self.second(F.silu(self.first(F.silu(scaled))))


class Compositor(nn.Module):
    """A U-Net over half, quarter and eighth of the side; every frame on its own."""

    def __init__(self, config: CompositorConfig):
        super().__init__()
        half, quarter, eighth = config.widths
        self.config = config
        self.stem = nn.Conv2d(4 * INPUTS, half, 3, 1, 1)
        self.at_half, self.back_half = _Block(half), _Block(half)
        self.to_quarter, self.from_quarter = nn.Conv2d(half, quarter, 3, 2, 1), nn.Conv2d(quarter, 4 * half, 1)
        self.at_quarter, self.back_quarter = _Block(quarter), _Block(quarter)
        self.to_eighth, self.from_eighth = nn.Conv2d(quarter, eighth, 3, 2, 1), nn.Conv2d(eighth, 4 * quarter, 1)
        self.at_eighth = nn.Sequential(*(_Block(eighth) for _ in range(config.depth)))
        self.head = nn.Conv2d(half, 4 * (SOURCES + 3), 3, 1, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        # behind everything else, so that the others start as without these parts
        if config.maps:
            self.stem_maps = nn.Conv2d(4 * MAPS, half, 3, 1, 1, bias=False)
            nn.init.zeros_(self.stem_maps.weight)
        if config.shift_px:
            self.head_shift = nn.Conv2d(half, 2 * (SOURCES - 1), 3, 1, 1)
            nn.init.zeros_(self.head_shift.weight)
            nn.init.zeros_(self.head_shift.bias)

    def forward(self, pictures_pm1: Tensor, state_01: Tensor, keep_01: Tensor, maps_01: Tensor) -> Tensor:
        """Return frames float [N, 3, H, W], about -1..1 and not clipped; sides 8n.

        pictures_pm1  float [N, 3, 3, H, W]   made, still, carried;  state_01  float [N, 2, H, W] as in `Conditions`
        keep_01       float [N, 2, h, w]      probabilities that a square is the photo's: still, carried
        maps_01       float [N, 6, H, W]      skeleton and sphere map, 0..1
        """
        size = pictures_pm1.shape[-2:]
        keep = F.interpolate(keep_01, size=size, mode="bilinear")
        x = F.pixel_unshuffle(torch.cat([pictures_pm1.flatten(1, 2), state_01, keep], 1), 2)
        x = self.stem(x) + self.stem_maps(F.pixel_unshuffle(maps_01, 2)) if self.config.maps else self.stem(x)
        x = self.at_half(x)
        y = self.at_quarter(self.to_quarter(x))
        z = self.at_eighth(self.to_eighth(y))
        y = self.back_quarter(y + F.pixel_shuffle(self.from_eighth(z), 2))
        x = self.back_half(x + F.pixel_shuffle(self.from_quarter(y), 2))
        out = F.pixel_shuffle(self.head(x), 2).float()
        # before training: mostly what was made, but where both agree that it is the photo's, the photo
        prior = torch.cat([torch.full_like(keep[:, :1], 0.35), keep], 1).clamp(1e-3, 1.0).log() * 2.0
        head, mouth = head_and_mouth(maps_01[:, 3:].float())
        figure, seen = state_01.split(1, 1)
        known = figure * torch.maximum(head * seen, mouth)
        less = torch.maximum(_KNOWN * known, _SHOWN * figure * seen)
        prior = prior - torch.cat([less, less, torch.zeros_like(less)], 1)
        share = torch.softmax(prior + out[:, :SOURCES], 1)[:, :, None]
        if self.config.shift_px:
            shift = torch.tanh(self.head_shift(x).float()) * self.config.shift_px  # [N, 4, H/2, W/2]
            shift = shift * (1.0 - F.max_pool2d(head, 2))
            photos = shifted(pictures_pm1[:, 1:].flatten(0, 1), shift.unflatten(1, (-1, 2)).flatten(0, 1))
            pictures_pm1 = torch.cat([pictures_pm1[:, :1], photos.unflatten(0, (len(shift), -1))], 1)
        return (share * pictures_pm1).sum(1) + 0.5 * out[:, SOURCES:]


def head_and_mouth(sphere_01: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is head with its jaw and what an open mouth can be, 0 or 1, float [N, 1, H, W], of [N, 3, H, W]."""
    inside = (sphere_01 > 0).float().amax(1, keepdim=True)
    rows, columns = (torch.arange(side, device=inside.device, dtype=inside.dtype) for side in inside.shape[-2:])
    places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))  # [2, H, W]
    middle = (inside * places).sum((-2, -1), keepdim=True) / inside.sum((-2, -1), keepdim=True).clamp_min(1.0)
    larger = shifted(sphere_01, (places - middle) * (1.0 / _BEYOND - 1.0))
    return torch.maximum(inside, _near_mouth(larger, _JAW)), _near_mouth(sphere_01, _OPEN)


def _near_mouth(sphere_01: Tensor, reach: float) -> Tensor:
    """Where the head's direction [N, 3, H, W] (0..1) is within `reach` of the mouth's, 0 or 1, float [N, 1, H, W]."""
    mouth = torch.tensor(_MOUTH, device=sphere_01.device)[:, None, None]
    return ((2.0 * sphere_01 - 1.0 - mouth).square().sum(1, keepdim=True) < reach**2).float()


def shifted(pictures: Tensor, shift_px: Tensor) -> Tensor:
    """Return float [N, 3, H, W]: each pixel taken from `shift_px` (x, y) [N, 2, h, w] beside itself, bilinear, with the
    nearest pixel beyond the border; the field may be smaller than the pictures and is then enlarged."""
    height, width = pictures.shape[-2:]
    field = F.interpolate(shift_px, size=(height, width), mode="bilinear")
    rows = torch.arange(height, device=field.device, dtype=field.dtype) + 0.5
    columns = torch.arange(width, device=field.device, dtype=field.dtype) + 0.5
    x = (columns + field[:, 0]) * (2.0 / width) - 1.0
    y = (rows[:, None] + field[:, 1]) * (2.0 / height) - 1.0
    grid = torch.stack([x, y], -1)
    return F.grid_sample(pictures.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)


def add_new_parts(network: Compositor, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a compositor without maps or shift as those of `network`, which then does the same.

    The parts that may be missing start as zeros; anything else that does not fit stays for a strict load to refuse.
    """
    new = [name for name in network.state_dict() if name.partition(".")[0] in ("stem_maps", "head_shift")]
    missing = {name: torch.zeros_like(network.state_dict()[name]) for name in new if name not in tensors}
    return {**tensors, **missing}
