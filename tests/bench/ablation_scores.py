"""Films of the ablations' networks on the fixed cases, and what is measured on each: one dict of numbers a clip."""

from dataclasses import dataclass

import numpy as np

METRICS = {  # name -> (title, better)
    "psnr_db": ("PSNR dB", "higher"),
    "ssim": ("SSIM", "higher"),
    "lpips_alex": ("LPIPS alex", "lower"),
    "head_error": ("error in the head disc, grey levels", "lower"),
    "face_error": ("error around mouth and eyes, grey levels", "lower"),
    "expression_error": ("error of expression weights x100", "lower"),
}
_FACE_POINTS = (slice(36, 42), slice(42, 48), slice(48, 68))  # eyes, mouth
_LEAST_RADIUS_PX = 9.0  # of a head whose face is judged: below, an eye is a pixel


SHIPPED = "shipped"
PLAIN = {"held": "refs", "carried": "warp"}  # films that need no network -> what of the case they show


@dataclass(frozen=True)
class Variant:
    """What makes films, and what it is compared with.

    run         whose network;  against  name of the Variant it is compared with, "" = with nothing
    section     of the page;  says  whose films these are, as a heading
    shown_as    ablation whose way of withholding conditions is used; "" = that of the run
    plain_face  the carried photo keeps the photo's own expression
    """

    name: str
    run: str
    against: str = ""
    section: str = ""
    says: str = ""
    references: int = 1
    free_bones: bool = False
    plain_face: bool = False
    shown_as: str = ""


def variants(runs):
    """All comparisons that need no more than these runs and the shipped model, which need no training of their own."""
    made = [Variant("base", "base")] if "base" in runs else []
    if made:
        made += [Variant(name, name, "base", name, "Trained so from the start") for name in runs if name != "base"]
    for name, says in (("base", "Small base"), (SHIPPED, "Shipped model")) if made else ((SHIPPED, "Shipped model"),):
        made += [Variant(name, name)] if name == SHIPPED else []
        three = f"{name}-three-references"
        made.append(Variant(three, name, name, "three-references", says, references=3))
        made.append(Variant(f"{name}-no-bones", name, name, "no-bones", says, free_bones=True))
    shown = (("the tokens", {"shown_as": "no-face"}), ("the carried expression", {"plain_face": True}),
             ("both", {"shown_as": "no-face", "plain_face": True}))  # fmt: skip
    for number, (what, options) in enumerate(shown):
        says = f"Shipped model, without {what}"
        made.append(Variant(f"{SHIPPED}-no-face-{number}", SHIPPED, SHIPPED, "no-face", says, **options))
    return made + [Variant(name, name) for name in PLAIN]


def plain_film(case, name):
    """uint8 [T, S, S, 3]: the reference held still, or the carried photo with the driver's expression."""
    return np.repeat(case["refs"][:1], len(case["truth"]), 0) if name == "held" else case[PLAIN[name]]


class Films:
    """Makes films with the networks of one run. State: the networks."""

    def __init__(self, run, ablation, vae_path, steps):
        import torch

        from stages.face.encoder import load_face_encoder
        from stages.model.config import ModelConfig
        from stages.model.dit import DiT
        from stages.model.files import model_files
        from stages.model.sampler import SamplerConfig
        from stages.model.vae import CausalVae
        from stages.weights.checkpoint import load_checkpoint, load_strictly

        shipped = run.name == SHIPPED
        path = model_files("default")["dit"] if shipped else run / "model.safetensors"
        tensors, values = load_checkpoint(path)
        config = ModelConfig.from_dict(values)
        self.ablation, self.sampler = ablation, SamplerConfig(steps)
        self.dit, self.vae = DiT(config.dit).eval(), CausalVae(config.vae).eval()
        load_strictly(self.dit, tensors, str(path))
        load_strictly(self.vae, load_checkpoint(vae_path)[0], str(vae_path))
        self.encoder = load_face_encoder("default" if shipped else str(run / "face.safetensors"))
        self._torch = torch

    def film(self, case, variant, seed):
        """uint8 [T, S, S, 3] of one case: the VAE's pictures of the sampled latents, no compositor."""
        from stages.model.sampler import sample_segment

        torch = self._torch
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            given = self.ablation.shown(self._conditions(case, variant))
            noise = torch.randn(given.warp_latents.shape, generator=torch.Generator().manual_seed(seed))
            latents = sample_segment(lambda z, t: self.dit(z, t, given), noise, self.sampler)
            frames = self.vae.decode(latents)[0].permute(1, 2, 3, 0).float().clamp(-1, 1)
        return ((frames + 1) * 127.5).round().to(torch.uint8).numpy()

    def _conditions(self, case, variant):
        from stages.model.animator import warp_state
        from stages.model.dit import Conditions

        torch, landmarks = self._torch, self.ablation.face == "landmarks"
        carried, count = "free_" if variant.free_bones else "plain_" if variant.plain_face else "", variant.references
        maps = case["marked" if landmarks else "free_maps" if variant.free_bones else "maps"]
        ref_maps = case["ref_marked" if landmarks else "ref_maps"][:count]
        one = torch.ones(1)
        return Conditions(
            maps=torch.from_numpy(maps).permute(3, 0, 1, 2)[None].float() / 255.0,
            ref_latents=torch.cat([self._encoded(frame[None])[:, :, 0] for frame in case["refs"][:count]])[None],
            ref_maps=torch.from_numpy(ref_maps).permute(0, 3, 1, 2)[None].float() / 255.0,
            face_tokens=torch.from_numpy(self.encoder.tokens(case["crops"]))[None],
            face_valid=torch.from_numpy(case["facing"])[None],
            warp_latents=self._encoded(case[f"{carried}warp"]),
            warp_state=warp_state(case[f"{carried}kind"])[None],
            keep_refs=one,
            keep_motion=one,
        )

    def _encoded(self, frames_u8):
        from stages.model.vae import frames_pm1

        return self.vae.encode(frames_pm1(frames_u8, "cpu").transpose(0, 1)[None]).float()


class Judge:
    """Measures films against the truth. `judge_encoder` reads expressions; it never steers anything here."""

    def __init__(self, judge_encoder):
        from stages.metrics.nets.perceptual import load_perceptual

        self._lpips, self._encoder = load_perceptual("alex", "cpu"), judge_encoder

    def measure(self, film, case):
        """{metric: float or None}; None where a face is too small or turned away in every frame."""
        from skimage.metrics import structural_similarity

        truth = case["truth"]
        gap = film.astype(np.float64) - truth.astype(np.float64)
        error = np.maximum((gap**2).mean((1, 2, 3)), 1e-6)
        similar = [
            structural_similarity(a, b, channel_axis=2, data_range=255) for a, b in zip(film, truth, strict=True)
        ]
        every = range(0, len(film), 4)
        values = {
            "psnr_db": float((10 * np.log10(255**2 / error)).mean()),
            "ssim": float(np.mean(similar)),
            "lpips_alex": float(np.mean([self._lpips.distance(film[i], truth[i], "pm1", False) for i in every])),
            "head_error": _inside(np.abs(gap).mean(-1), head_discs(case)),
            "face_error": None,
            "expression_error": None,
        }
        seen = case["truth_facing"] & (case["head_radius_px"] >= _LEAST_RADIUS_PX)
        if seen.any():
            values["face_error"] = _inside(np.abs(gap).mean(-1), face_regions(case) & seen[:, None, None])
            read, real = (self._expressions(frames, case["crop_affine"])[seen, :52] for frames in (film, truth))
            values["expression_error"] = 100.0 * float(np.abs(read - real).mean())
        return values

    def _expressions(self, frames_u8, affines):
        import cv2

        crops = [
            cv2.warpAffine(frame, affine, (64, 64), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for frame, affine in zip(frames_u8, affines, strict=True)
        ]
        return self._encoder.expressions(np.stack(crops))


def head_discs(case):
    """bool [T, S, S]: inside the true head circle."""
    side = case["truth"].shape[1]
    y, x = np.mgrid[:side, :side]
    center, radius = case["head_px"], case["head_radius_px"]
    return (x - center[:, 0, None, None]) ** 2 + (y - center[:, 1, None, None]) ** 2 <= radius[:, None, None] ** 2


def face_regions(case):
    """bool [T, S, S]: hulls of the true eyes and mouth, a seventh of a head radius wider."""
    import cv2

    side = case["truth"].shape[1]
    regions = np.zeros((len(case["truth"]), side, side), np.uint8)
    for region, points, radius in zip(regions, case["face_px"], case["head_radius_px"], strict=True):
        for part in _FACE_POINTS:
            cv2.fillConvexPoly(region, cv2.convexHull(np.round(points[part]).astype(np.int32)), 1)
        wide = 2 * max(1, round(radius / 7)) + 1
        region[:] = cv2.dilate(region, np.ones((wide, wide), np.uint8))
    return regions.astype(bool)


def _inside(gap, mask):
    """Mean of the gap in the mask; None where the mask is empty."""
    return float(gap[mask].mean()) if mask.any() else None


def load_case(path):
    """The arrays of a case by name."""
    with np.load(path) as opened:
        return {name: opened[name] for name in opened.files}
