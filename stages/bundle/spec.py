"""What one array means: dtype, axes, unit, range, fill value."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

SCHEMA_VERSION = "1.0"
ATTRIBUTE = "dreamactor"
LAYER_NAME = re.compile(r"[a-z][a-z0-9_]*")
ARRAY_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_AUTO = object()
_DTYPE_ALIASES = {
    "f16": "float16", "f32": "float32", "f64": "float64", "u8": "uint8", "u16": "uint16", "u32": "uint32",
    "u64": "uint64", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
}  # fmt: skip
DTYPES = (*_DTYPE_ALIASES.values(), "bool")


@dataclass(frozen=True)
class ArraySpec:
    """The meaning of one array.

    dtype        numpy name ("float32") or short name ("f32")
    axes         one name per axis, for example ("T", "J", "xy"); time first
    unit         "px", "m", "rad", "s", "01", "" for none
    valid_range  (low, high), both inclusive; None = no limit. NaN is always allowed in float arrays
    fill         value of what is missing: NaN for floats (always), False for bool, 0 for integers unless given
    meaning      one phrase for a person
    """

    dtype: str
    axes: tuple[str, ...]
    unit: str = ""
    valid_range: tuple[float, float] | None = None
    fill: Any = _AUTO
    meaning: str = ""

    def __post_init__(self) -> None:
        dtype = _DTYPE_ALIASES.get(str(self.dtype), str(self.dtype))
        if dtype not in DTYPES:
            raise ValueError(f"ArraySpec.dtype: found {self.dtype!r}, expected one of {DTYPES}")
        object.__setattr__(self, "dtype", dtype)
        object.__setattr__(self, "axes", tuple(self.axes))
        is_float = dtype.startswith("float")
        fill = (math.nan if is_float else False if dtype == "bool" else 0) if self.fill is _AUTO else self.fill
        if is_float and not (isinstance(fill, float) and math.isnan(fill)):
            raise ValueError(f"ArraySpec.fill: found {fill!r}, expected NaN for a float array")
        object.__setattr__(self, "fill", fill)

    def to_attributes(self) -> dict[str, Any]:
        """The JSON form kept in the array's attributes; a NaN fill value is the text "NaN"."""
        return {
            "dtype": self.dtype,
            "axes": list(self.axes),
            "unit": self.unit,
            "valid_range": None if self.valid_range is None else [float(v) for v in self.valid_range],
            "fill": "NaN" if self.dtype.startswith("float") else self.fill,
            "meaning": self.meaning,
        }
