"""Measures the face encoder: expressions across people it never saw, the person in the tokens, real talking videos.

    python tests/bench/bench_face_encoder.py [--encoder FILE] [--people 12] [--spread 100] [--natural 50]
                                             [--known 300] [--videos FOLDER] [--work FOLDER] [--json FILE]
                                             [--record FILE]

Retrieval: every crop asks for the same face among one crop of every face, each of a random other person; chance is 1 /
E. Nearest is the smallest Euclidean distance of tokens; beside it the likeliest (stages.training.face_measures.
SameFace), which knows from people of the training what varies in tokens without the face. Identity: a linear probe
(stages.training.face_measures) names the person of faces that it was not fitted on; chance is 1 / P. Both also of an
untrained network and of the pixels (16x16 grey). Videos: the directions of tokens that read jawOpen and eyeBlink,
fitted on the synthetic crops alone, against the mouth opening (inner lips over the distance of the outer corners of the
eyes) and the eye closure (lids over the eye's width) of the face points that extract-pose finds. Small faces: the same
from crops that first had N px a side; a crop is 1.15 head heights wide.
"""

import argparse
import json
from pathlib import Path

import numpy as np

TALKING = ("face_talking_speech", "d3", "face_glasses", "face_green_screen", "face_grimaces_long", "head_turns_wide")
UNITS = {"jaw": ("jawOpen",), "eyes": ("eyeBlinkLeft", "eyeBlinkRight")}
DECAYS = (1e-3, 1e-2, 1e-1, 1.0)  # of the ridge regressions
SMALL_PX = (20, 24, 32, 48, 64)
LEAST_SEEN, LEAST_FACING = 0.5, 0.45  # of known faces
LIPS, OUTER_EYES = (13, 14), (33, 263)
LIDS, EYES = ((159, 145), (386, 374)), ((33, 133), (362, 263))  # of the face mesh of 478 points


def encode(network, crops_u8, side=0):
    """Tokens float64 [..., 128] of crops uint8 [..., S, S, 3]; side: shrink them to so many px before."""
    import torch
    import torch.nn.functional as F

    flat, rows = crops_u8.reshape(-1, *crops_u8.shape[-3:]), []
    with torch.no_grad():
        for first in range(0, len(flat), 64):
            x = torch.from_numpy(flat[first : first + 64]).permute(0, 3, 1, 2).float() / 255.0
            if side:
                x = F.interpolate(F.interpolate(x, size=(side, side), mode="area"), x.shape[-2:], mode="bilinear")
            rows.append(network(x)[0].flatten(1).double().numpy())
    return np.concatenate(rows).reshape(*crops_u8.shape[:-3], -1)


def grey_pixels(crops_u8):
    """float64 [..., 256]: 16x16 grey."""
    grey = crops_u8.astype(np.float64).mean(-1)
    cell = grey.shape[-1] // 16
    return grey.reshape(*grey.shape[:-2], 16, cell, 16, cell).mean((-3, -1)).reshape(*grey.shape[:-2], -1) / 255.0


def told_apart(features, same_face=None):
    """Retrieval (with a SameFace also by it) and probe of features [P, E, D], each also in multiples of chance."""
    from stages.training.face_measures import identity_probe, retrieval_top1

    people, faces = features.shape[:2]
    top1, probe = retrieval_top1(features), identity_probe(features)
    likeliest = retrieval_top1(features, distances=same_face) if same_face else float("nan")
    return {
        "people": people, "faces": faces, "top1": top1, "top1_x_chance": top1 * faces,
        "likeliest": likeliest, "likeliest_x_chance": likeliest * faces,
        "identity": probe, "identity_x_chance": probe * people,
    }  # fmt: skip


def known_faces(network, people, cache):
    """SameFace of the close-ups of so many training people, changed as in training; None for none of them."""
    from stages.core.rng import numpy_rng
    from stages.training.face_augment import augment
    from stages.training.face_measures import SameFace
    from stages.training.face_people import FIRST, SyntheticFaces
    from stages.training.pool import usual_assets

    if not people:
        return None
    source, tokens, labels = SyntheticFaces(usual_assets("auto")), [], []
    cache.mkdir(parents=True, exist_ok=True)
    for seed in range(FIRST, FIRST + people):
        path = cache / f"{seed}.npz"
        if not path.is_file():
            np.savez(path, **source.clip(seed))
        with np.load(path) as made:
            seen = (made["seen_01"] >= LEAST_SEEN) & (made["R_cam_head"][:, 2, 2] >= LEAST_FACING)
            if seen.any():
                changed = augmented(made["faces"][seen], augment, numpy_rng(seed, "bench", "faces", "known"))
                tokens.append(encode(network, changed))
                labels.append(made["expressions"][seen])
    return SameFace.fitted(np.concatenate(tokens), np.concatenate(labels).astype(np.float64))


def augmented(crops_u8, augment, rng):
    """uint8 [n, S, S, 3] of crops as training changes them."""
    import torch

    made = augment(torch.from_numpy(crops_u8), rng)[0]
    return (255.0 * made).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def signal_of(labels, names, key):
    """float [N]: jawOpen (key "jaw") or the mean of both blinks ("eyes") of labels [N, 54]."""
    return labels[:, [names.index(name) for name in UNITS[key]]].mean(1)


def readers(tokens, labels, names):
    """{"jaw", "eyes"}: (direction, offset) that reads it from tokens [P, E, D] of people making the same faces [E, 54].

    The ridge is the one that reads best from people who are left out.
    """
    from stages.training.face_measures import linear_reader

    people, found = len(tokens), {}
    for key in UNITS:
        wanted = signal_of(labels, names, key)

        def fitted(chosen, decay, wanted=wanted):
            return linear_reader(np.concatenate(tokens[chosen]), np.tile(wanted, len(chosen)), decay)

        def left_out(decay, fitted=fitted, wanted=wanted):
            others = [np.delete(np.arange(people), person) for person in range(people)]
            return np.mean([correlation(tokens[p] @ fitted(o, decay)[0], wanted) for p, o in enumerate(others)])

        found[key] = fitted(np.arange(people), max(DECAYS, key=left_out))
    return found


def correlation(a, b):
    """Pearson's r."""
    return float(np.corrcoef(a, b)[0, 1])


def mesh_signals(face_px):
    """{"jaw", "eyes"} float64 [T]: mouth opening and eye closure of points [T, 478, 3]."""

    def length(pair):
        return np.linalg.norm(face_px[:, pair[0]] - face_px[:, pair[1]], axis=-1)

    closed = -np.mean([length(lids) / length(eye) for lids, eye in zip(LIDS, EYES, strict=True)], axis=0)
    return {"jaw": length(LIPS) / length(OUTER_EYES), "eyes": closed}


def real_crops(folder, work, seconds):
    """Yield (name, crops uint8 [T, 224, 224, 3], signals of the mesh) of the frames with a face."""
    from stages import encode_face, extract_pose
    from stages.bundle import open_bundle

    for name in TALKING:
        out = work / f"{name}-{seconds:g}.zarr"
        if not out.is_dir():
            params = extract_pose.Params(output=str(out), threads=1, duration=seconds)
            extract_pose.run(str(folder / f"{name}.mp4"), params)
        encode_face.run(str(out), encode_face.Params(keep_crops=True, device="cpu", overwrite=True))
        bundle = open_bundle(out)
        valid = bundle.read("face", "valid")
        signals = mesh_signals(bundle.read("pose", "face_px")[valid].astype(np.float64))
        yield name, bundle.read("face", "crops")[valid], signals


def measure(network, untrained, sets, names, videos, same_face=None):
    """Everything, as one JSON-able dict; a side of 0 stands for the crop as it is."""
    result = {"sets": {}, "small": {}, "videos": {}}
    tokens = {name: encode(network, crops.crops_u8) for name, crops in sets.items()}
    for name, crops in sets.items():
        result["sets"][name] = {
            "encoder": told_apart(tokens[name], same_face),
            "untrained": told_apart(encode(untrained, crops.crops_u8)),
            "pixels": told_apart(grey_pixels(crops.crops_u8)),
        }
    people = len(tokens["spread"])
    labels = np.concatenate([crops.labels for crops in sets.values()])
    read = readers(np.concatenate(list(tokens.values()), axis=1), labels, names)
    spread = sets["spread"]
    for side in (0, *SMALL_PX):
        seen = encode(network, spread.crops_u8, side)
        row = told_apart(seen, same_face)
        for key, (direction, _) in read.items():
            truth = signal_of(spread.labels, names, key)
            row[f"{key}_r"] = correlation((seen @ direction).ravel(), np.tile(truth, people))
        result["small"][str(side)] = row
    for name, crops_u8, signals in videos:
        rows = result["videos"][name] = {"frames": len(crops_u8)}
        for side in (0, *SMALL_PX):
            seen = encode(network, crops_u8, side)
            rows[str(side)] = {key: correlation(seen @ read[key][0], signals[key]) for key in read}
    return result


def show(result):
    """Print the tables."""
    print(
        "| set | of | retrieval top-1 | x chance | likeliest | x chance | identity probe | x chance |\n"
        + "|---" * 8
        + "|"
    )
    for name, rows in result["sets"].items():
        for who, row in rows.items():
            print(f"| {name}, {row['faces']} faces x {row['people']} people | {who} | {told(row)} |")
    print(
        "\n| crop px | retrieval top-1 | x chance | likeliest | x chance | identity | x chance | jaw r | eyes r |\n"
        + "|---" * 9
        + "|"
    )
    for side, row in result["small"].items():
        print(f"| {side if side != '0' else 'as it is'} | {told(row)} | {row['jaw_r']:.2f} | {row['eyes_r']:.2f} |")
    sides = ["as it is" if side == 0 else f"{side} px" for side in (0, *SMALL_PX)]
    print("\n| video: jaw r, eyes r | frames | " + " | ".join(sides) + " |\n" + "|---" * (2 + len(sides)) + "|")
    for name, rows in result["videos"].items():
        cells = [f"{rows[str(side)]['jaw']:.2f}, {rows[str(side)]['eyes']:.2f}" for side in (0, *SMALL_PX)]
        print(f"| {name} | {rows['frames']} | " + " | ".join(cells) + " |")


def told(row):
    """Six cells of one row of `told_apart`."""
    return " | ".join(
        [
            f"{100 * row['top1']:.1f}%", f"{row['top1_x_chance']:.1f}",
            f"{100 * row['likeliest']:.1f}%", f"{row['likeliest_x_chance']:.1f}",
            f"{100 * row['identity']:.1f}%", f"{row['identity_x_chance']:.1f}",
        ]
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="default", help="default or a .safetensors file")
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--spread", type=int, default=100, help="faces of the set `spread`")
    parser.add_argument("--natural", type=int, default=50, help="faces of the set `natural`")
    parser.add_argument("--known", type=int, default=300, help="training people of the likeliest face; 0 = without")
    parser.add_argument("--videos", type=Path, help="folder of the real videos; without it they are left out")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each video; 0 = all")
    parser.add_argument("--work", type=Path, default=Path("face-bench"), help="crops and bundles are kept here")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--record", type=Path, help="write the encoder there with these figures in its header")
    arguments = parser.parse_args()
    import torch
    from face_people_sets import make_people

    from stages.face.encoder import FaceMotionNet, load_face_encoder
    from stages.synthetic.assets import load_assets

    torch.set_num_threads(1)
    arguments.work.mkdir(parents=True, exist_ok=True)
    sets = make_people(
        arguments.people, arguments.spread, arguments.natural, arguments.work / "people",
        say=lambda found, seed: print(f"{found} of {arguments.people} people, seed {seed}", end="\r", flush=True),
    )  # fmt: skip
    encoder = load_face_encoder(arguments.encoder)
    torch.manual_seed(0)
    untrained = FaceMotionNet(encoder.network.config).eval()
    videos = real_crops(arguments.videos, arguments.work, arguments.seconds) if arguments.videos else ()
    same_face = known_faces(encoder.network, arguments.known, arguments.work / "known")
    result = measure(encoder.network, untrained, sets, load_assets().arkit_names, videos, same_face)
    result["encoder_sha256"] = encoder.sha256
    print()
    show(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))
    if arguments.record:
        record(arguments.encoder, arguments.record, result)


def record(source, target, result):
    """Copy an encoder's weights to another file that also says what was measured of them.

    Matrices are stored in half the bytes, but for the map to the tokens, which transformers have learned as it is, and
    that to the code, which has few directions and would get others by rounding.
    """
    import torch

    from stages.face import encoder_file
    from stages.weights.checkpoint import load_checkpoint, save_checkpoint

    tensors, config = load_checkpoint(encoder_file(source))
    spread = result["sets"]["spread"]["encoder"]
    talk = {
        name: [rows["frames"], *(round(rows["0"][key], 3) for key in UNITS)] for name, rows in result["videos"].items()
    }
    measured = {key: round(value, 4) for key, value in spread.items()}
    whole = ("head_tokens", "head_code")
    small = {n: t.to(torch.bfloat16) if t.ndim > 1 and not n.startswith(whole) else t for n, t in tensors.items()}
    save_checkpoint(target, small, {**config, "measured": {**measured, "frames, jaw r, eyes r": talk}})


if __name__ == "__main__":
    main()
