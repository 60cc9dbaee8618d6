"""What a step of training costs here, in bfloat16 and in float32: CPU seconds and their ratios.

    python tests/bench/bench_step.py [--steps 3] [--threads 1] [--json FILE]

The shipped transformer learns 24 single frames of 128 px (random numbers) with its usual loss and optimisers, in a
process of its own for each way. CPU seconds do not mind what else the machine does; the first step of each process
warms up and does not count. Ways:

  as shipped   bfloat16 where the device is fast at it (stages.core.device)
  bfloat16     always, in products of networks and of the optimiser; on a CPU without it that takes minutes
  float32      always
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
WAYS = {"as shipped": None, "float32": False, "bfloat16": True}
SIZE, FRAMES = 128, 24


def child(way, steps, threads):
    """Print the CPU seconds of each step."""
    import torch

    from stages.core import device
    from stages.training import optim

    if WAYS[way] is not None:
        device.fast_bfloat16 = optim.fast_bfloat16 = lambda kind: WAYS[way]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    step, spent = one_step(), []
    for _ in range(steps + 1):
        before = time.process_time()
        step()
        spent.append(time.process_time() - before)
    print(json.dumps(spent[1:]))


def one_step():
    """A function that makes one step of stage 3 as stages.training.loop does."""
    import torch

    from stages.core.device import mixed_precision
    from stages.face.encoder import FaceEncoderConfig, FaceMotionNet
    from stages.model.config import PRESETS
    from stages.model.dit import DiT
    from stages.training.data import TrainingBatch
    from stages.training.objective import ObjectiveConfig, freeze_for_stage, training_loss
    from stages.training.optim import build_optimisers

    config = PRESETS["default"]
    dit, face = DiT(config.dit), FaceMotionNet(FaceEncoderConfig())
    freeze_for_stage(dit, face, 3)
    optimisers = build_optimisers(torch.nn.ModuleDict({"dit": dit, "face": face}), 1e-3)
    channels, cells = config.vae.latent_channels, SIZE // 8
    batch = TrainingBatch(
        data=torch.randn(FRAMES, channels, 1, cells, cells), maps=torch.rand(FRAMES, 6, 1, SIZE, SIZE),
        ref_latents=torch.randn(FRAMES, 1, channels, cells, cells), ref_maps=torch.rand(FRAMES, 1, 6, SIZE, SIZE),
        faces=torch.randint(0, 256, (FRAMES, 1, 64, 64, 3), dtype=torch.uint8),
        face_valid=torch.ones(FRAMES, 1, dtype=torch.bool), expressions=torch.rand(FRAMES, 1, 54),
        warp_latents=torch.randn(FRAMES, channels, 1, cells, cells), warp_state=torch.rand(FRAMES, 2, 1, SIZE, SIZE),
        same=torch.rand(FRAMES, 1, SIZE // 2, SIZE // 2) < 0.5,
        same_warp=torch.rand(FRAMES, 1, SIZE // 2, SIZE // 2) < 0.5,
    )  # fmt: skip
    weight, generator = torch.ones(1, channels, 1, 1, 1), torch.Generator().manual_seed(0)

    def step():
        with mixed_precision("cpu"):
            loss = training_loss(dit, face, batch, weight, 3, ObjectiveConfig(), generator)
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", default="")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.steps, arguments.threads)
        return
    result = {}
    for way in WAYS:
        words = [__file__, "--child", way, "--steps", str(arguments.steps), "--threads", str(arguments.threads)]
        made = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
        result[way] = sorted(json.loads(made.stdout))[arguments.steps // 2]
        print(f"{way:12} {result[way]:8.2f} s a step: {result[way] / result['as shipped']:.2f} times as shipped")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
