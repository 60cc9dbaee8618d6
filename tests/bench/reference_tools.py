"""Computes PSNR, SSIM, LPIPS, FID and FVD of one pair with other people's tools; run by bench_score.py in their venv.

    PYTHON reference_tools.py JOB.json RESULT.json

JOB.json: {"real", "generated": .npy uint8 [T,H,W,3], "threads", "batch", "weights": {name: .npz}, "common_metrics"}.
The trunks of the networks are given, because the tools would fetch them from where there may be no way to; everything
else is theirs: lpips, pytorch-fid, scikit-image, torchmetrics, and the FVD of a checkout of
JunyaoHu/common_metrics_on_video_quality (its network file cannot be had; the I3D class is that of the cd-fvd package).
Knows nothing of this project.
"""

import json
import sys
import time
import warnings

import numpy as np


def named(path):
    with np.load(path) as arrays:
        return dict(arrays)


def convolutions(net, arrays, torch):
    """Put the n-th convolution's tensors, and its batch norm's, into the n-th of a network built in the same order."""
    found = [m for m in net.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Conv3d))]
    norms = [m for m in net.modules() if isinstance(m, (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d))]
    found = [m for m in found if m.bias is None] if norms else found
    for number, module in enumerate(found):
        for target, name in ((module.weight, "weight"), (None if norms else module.bias, "bias")):
            if target is not None:
                target.data = torch.from_numpy(arrays[f"conv.{number:02d}.{name}"].copy())
        if norms:
            norm = norms[number]
            norm.weight.data.fill_(1.0)
            for target, name in ((norm.bias.data, "beta"), (norm.running_mean, "mean"), (norm.running_var, "var")):
                target.copy_(torch.from_numpy(arrays[f"conv.{number:02d}.{name}"].copy()))
    return net.eval()


def alexnet_with(arrays, torch, torchvision):
    build = torchvision.models.alexnet

    def make(*_, **__):
        net = build()
        convolutions(net.features, arrays, torch)
        return net

    return make


def inception(arrays, torch):
    import pytorch_fid.inception as module

    def tensors(*_, **__):
        net = module._inception_v3(num_classes=1008, aux_logits=False, weights=None)
        net.Mixed_5b, net.Mixed_5c = module.FIDInceptionA(192, 32), module.FIDInceptionA(256, 64)
        net.Mixed_5d = module.FIDInceptionA(288, 64)
        for name, width in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
            setattr(net, f"Mixed_{name}", module.FIDInceptionC(768, width))
        net.Mixed_7b, net.Mixed_7c = module.FIDInceptionE_1(1280), module.FIDInceptionE_2(2048)
        state = net.state_dict()
        stems = [key.removesuffix("conv.weight") for key in state if key.endswith("conv.weight")]
        for number, stem in enumerate(stems):
            state[f"{stem}bn.weight"] = torch.ones_like(state[f"{stem}bn.weight"])
            for key, name in (
                ("conv.weight", "weight"),
                ("bn.bias", "beta"),
                ("bn.running_mean", "mean"),
                ("bn.running_var", "var"),
            ):
                state[f"{stem}{key}"] = torch.from_numpy(arrays[f"conv.{number:02d}.{name}"].copy())
        return state

    module.load_state_dict_from_url = tensors
    return module.InceptionV3([3]).eval()


def i3d(arrays, torch):
    from cdfvd.third_party.i3d.pytorch_i3d import InceptionI3d

    net = convolutions(InceptionI3d(400, in_channels=3), arrays, torch)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.eps = 1e-3
    net.logits.conv3d.weight.data = torch.from_numpy(arrays["logits.weight"].copy())
    net.logits.conv3d.bias.data = torch.from_numpy(arrays["logits.bias"].copy())
    return lambda x, **_: net(x)


def main(job_path, result_path):
    warnings.filterwarnings("ignore")
    with open(job_path) as file:
        job = json.load(file)
    import torch
    import torchvision

    torch.set_num_threads(job["threads"])
    torch.set_grad_enabled(False)
    real, generated = np.load(job["real"]), np.load(job["generated"])
    weights = {name: named(path) for name, path in job["weights"].items()}
    batch, result = job["batch"], {}

    def part(tool, name, work):
        started = time.perf_counter()
        value = work()
        result[f"{tool} {name}"] = {"seconds": time.perf_counter() - started, "value": float(value)}
        print(f"{tool} {name}: {float(value):.7g}, {time.perf_counter() - started:.2f} s", file=sys.stderr, flush=True)

    def batches(scale):
        for first in range(0, len(real), batch):
            rows = slice(first, first + batch)
            yield tuple(torch.from_numpy(x[rows]).permute(0, 3, 1, 2).float() * scale for x in (generated, real))

    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    pairs = list(zip(real, generated, strict=True))
    part("scikit-image", "psnr", lambda: np.mean([peak_signal_noise_ratio(r, g, data_range=255) for r, g in pairs]))
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    part(
        "scikit-image", "ssim", lambda: np.mean([structural_similarity(r, g, channel_axis=2, **wang) for r, g in pairs])
    )

    torchvision.models.alexnet = alexnet_with(weights["lpips_alex"], torch, torchvision)
    import lpips

    net = lpips.LPIPS(net="alex", verbose=False)
    part("lpips", "lpips", lambda: torch.cat([net(g - 1, r - 1).flatten() for g, r in batches(1 / 127.5)]).mean())

    from pytorch_fid.fid_score import calculate_frechet_distance

    network, features = inception(weights["inception_fid"], torch), {}

    def extract():
        rows = [[network(x)[0].flatten(1).numpy() for x in pair] for pair in batches(1 / 255)]
        features["generated"], features["real"] = (np.concatenate([row[side] for row in rows]) for side in (0, 1))
        return 0.0

    part("pytorch-fid", "features", extract)

    def fid():
        statistics = [(f.mean(0), np.cov(f, rowvar=False)) for f in (features["generated"], features["real"])]
        return calculate_frechet_distance(*statistics[0], *statistics[1])

    part("pytorch-fid", "fid", fid)

    sys.path.insert(0, job["common_metrics"])
    from fvd.styleganv.fvd import frechet_distance, get_fvd_feats

    detector, logits = i3d(weights["i3d_kinetics400"], torch), {}

    def windows():
        for name, frames in (("generated", generated), ("real", real)):
            whole = frames[: len(frames) // 16 * 16].reshape(-1, 16, *frames.shape[1:])
            videos = torch.from_numpy(whole).permute(0, 4, 1, 2, 3).float() / 255
            logits[name] = get_fvd_feats(videos, detector, "cpu")
        return 0.0

    part("common_metrics", "features", windows)
    part("common_metrics", "fvd", lambda: frechet_distance(logits["generated"], logits["real"]))

    from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    def streamed(metric, scale, shift=0.0):
        for g, r in batches(scale):
            metric.update(g + shift, r + shift)
        return metric.compute()

    psnr = PeakSignalNoiseRatio(data_range=255.0, reduction="elementwise_mean", dim=(1, 2, 3))
    part("torchmetrics", "psnr", lambda: streamed(psnr, 1.0))
    part("torchmetrics", "ssim", lambda: streamed(StructuralSimilarityIndexMeasure(data_range=255.0), 1.0))
    perceptual = LearnedPerceptualImagePatchSimilarity(net_type="alex")
    part("torchmetrics", "lpips", lambda: streamed(perceptual, 1 / 127.5, -1.0))

    class Features(torch.nn.Module):
        num_features = 2048

        def forward(self, x):
            return network(x)[0].flatten(1)

    distance = FrechetInceptionDistance(feature=Features(), normalize=True)

    def gather():
        for g, r in batches(1 / 255):
            distance.update(g, real=False)
            distance.update(r, real=True)
        return 0.0

    part("torchmetrics", "features", gather)
    part("torchmetrics", "fid", distance.compute)
    with open(result_path, "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
