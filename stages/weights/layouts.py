"""One naming for the arrays of a network, whoever saved it: the n-th convolution is `conv.NN`, in torch's axis order.

Codes that carry one and the same trained network name its arrays differently but build its layers in the same order.
So the arrays are taken in the file's order; were an order ever another one, the checksum over the named arrays, which
stands in the registry, would not come out, and the file would be refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stages.core.errors import WeightsError

Arrays = Mapping[str, np.ndarray]
_NORMS = (  # siblings of a convolution's array: (its name's end, shift, mean, variance, scale)
    ("conv_0.kernel", "batchnorm_0.bias", "batchnorm_0.mean", "batchnorm_0.var", ""),  # flax
    ("conv.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.weight"),  # pytorch-fid, torch-fidelity
    ("conv3d.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.weight"),
    ("conv3d.weight", "batch3d.bias", "batch3d.running_mean", "batch3d.running_var", "batch3d.weight"),
    ("weight", "beta", "mean", "var", ""),
)


def normed(arrays: Arrays) -> dict[str, np.ndarray]:
    """`conv.NN.weight|beta|mean|var` of convolutions with batch norm, and `logits.weight|bias` where there are logits.

    errors  WeightsError: no such layers, or a batch norm with a scale (the TensorFlow originals have none)
    """
    table = {_plain(name): array for name, array in arrays.items()}
    named: dict[str, np.ndarray] = {}
    count = 0
    for name, array in table.items():
        if array.ndim < 4 or name.endswith((".mean", ".var")):
            continue
        siblings = _siblings(table, name)
        bias = table.get(f"{name.rsplit('.', 1)[0]}.bias")
        if siblings is not None:
            shift, mean, variance = siblings
            stem = f"conv.{count:02d}"
            values = {"weight": _torch_axes(name, array), "beta": shift, "mean": mean, "var": variance}
            named |= {f"{stem}.{kind}": _floats(value) for kind, value in values.items()}
            count += 1
        elif bias is not None and array.ndim == 5:
            named |= {"logits.weight": _floats(_torch_axes(name, array)), "logits.bias": _floats(bias)}
    if not count:
        raise WeightsError("the file holds no convolutions with batch norm, expected an Inception or I3D network")
    return {key: value.ravel() if key.endswith(("beta", "mean", "var")) else value for key, value in named.items()}


def lpips(arrays: Arrays) -> dict[str, np.ndarray]:
    """`conv.NN.weight|bias` of the trunk and `linear.N.weight` [C] of the five heads.

    errors  WeightsError: trunk or heads are missing (they may come from two files: give both)
    """
    named: dict[str, np.ndarray] = {}
    heads: list[np.ndarray] = []
    for name, array in arrays.items():
        if array.ndim != 4 or "scaling_layer" in name:  # shift and scale of the input, constants of the method
            continue
        values = _floats(_torch_axes(name, array))
        bias = arrays.get(f"{name.rsplit('.', 1)[0]}.bias")
        if bias is None and values.shape[0] == 1 and len(heads) < 5:
            heads.append(values.ravel())
        elif bias is not None:
            stem = f"conv.{len(named) // 2:02d}"
            named |= {f"{stem}.weight": values, f"{stem}.bias": _floats(bias)}
    if len(heads) != 5 or not named:
        raise WeightsError(
            f"found {len(named) // 2} convolutions and {len(heads)} linear heads, expected a trunk and 5 heads. "
            "Where they are two files, give both"
        )
    return named | {f"linear.{number}.weight": head for number, head in enumerate(heads)}


def silero(arrays: Arrays) -> dict[str, np.ndarray]:
    """`stft|encoder.N|memory|voice` of Silero VAD's network for 16 kHz; the one for 8 kHz in the same file is left.

    errors  WeightsError: not that file
    """
    named = {name.removeprefix("_model."): array for name, array in arrays.items() if name.startswith("_model.")}
    parts = {"stft.forward_basis_buffer": "stft.weight", "decoder.decoder.2.weight": "voice.weight",
             "decoder.decoder.2.bias": "voice.bias"}  # fmt: skip
    for kind in ("weight", "bias"):
        parts |= {f"encoder.{n}.reparam_conv.{kind}": f"encoder.{n}.{kind}" for n in range(4)}
        parts |= {f"decoder.rnn.{kind}_{of}": f"memory.{kind}_{of}_l0" for of in ("ih", "hh")}
    if missing := sorted(set(parts) - set(named)):
        raise WeightsError(f"the file has no _model.{missing[0]}, expected Silero VAD's TorchScript file")
    return {new: _floats(named[old]) for old, new in parts.items()}


LAYOUTS = {"normed": normed, "lpips": lpips, "silero": silero}


def _plain(name: str) -> str:
    return name.lower().removeprefix("params.").removeprefix("batch_stats.")


def _siblings(table: Arrays, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    for end, shift, mean, variance, scale in _NORMS:
        stem = name.removesuffix(end)
        if stem != name and all(stem + sibling in table for sibling in (shift, mean, variance)):
            if scale and not np.all(table.get(stem + scale, np.ones(1)) == 1):
                raise WeightsError(
                    f"{stem}{scale}: scales by other than 1, expected the TensorFlow original's batch norm"
                )
            return table[stem + shift], table[stem + mean], table[stem + variance]
    return None


def _torch_axes(name: str, array: np.ndarray) -> np.ndarray:
    """[O, I, ...] of a torch or flax ([..., I, O]) kernel."""
    return np.moveaxis(array, (-1, -2), (0, 1)) if name.endswith("kernel") else array


def _floats(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, "<f4")
