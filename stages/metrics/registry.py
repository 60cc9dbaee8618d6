"""Measurements and reductions by name: kind -> module path. Nothing is imported before it is used."""

MEASURES = {
    "psnr": "stages.metrics.psnr",
    "ssim": "stages.metrics.ssim",
    "l1": "stages.metrics.l1",
    "lpips": "stages.metrics.lpips",
    "inception": "stages.metrics.inception",
    "i3d": "stages.metrics.i3d",
    "identity": "stages.metrics.identity",
    "lipsync": "stages.metrics.lipsync",
    "warp_error": "stages.metrics.warp_error",
    "flicker": "stages.metrics.flicker",
    "colour_drift": "stages.metrics.colour_drift",
    "tracks": "stages.scoring.tracks",  # people found again with our own stages: stands above the metrics
}

REDUCTIONS = {
    "mean": "stages.metrics.mean",
    "frechet": "stages.metrics.frechet_distance",
    "kid": "stages.metrics.kernel_distance",
}
