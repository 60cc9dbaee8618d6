"""Make the two sample files of the quickstart again: `python examples/samples/make_samples.py [FOLDER]`.

reference.jpg  a synthetic woman, half body; driving.mp4  another synthetic person who talks, gestures and turns.
Both are test people of `dreamactor synth`. The sound is made of tones that follow the jaw.
"""

import io
import sys
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from stages.media import ai_mark, write_video
from stages.synthetic.assets import load_assets
from stages.synthetic.clip import Studio
from stages.synthetic.seeds import ClipSeeds

SIZE, FRAMES, FPS, RATE_HZ = 512, 61, 24, 24_000
REFERENCE = ClipSeeds(identity=600071, motion=600321, camera=600321, light=600055, background=600011)
DRIVING = ClipSeeds(identity=600095, motion=600425, camera=600071, light=600055, background=600018)


def tones(jaw_01: np.ndarray) -> bytes:
    """A mono WAV whose loudness and pitch follow the jaw, one value a frame."""
    times = np.arange(len(jaw_01) * RATE_HZ // FPS) / RATE_HZ
    open_01 = np.interp(times, np.arange(len(jaw_01)) / FPS, jaw_01)
    phase = 2 * np.pi * np.cumsum(130 + 60 * open_01 + 12 * np.sin(2 * np.pi * 0.7 * times)) / RATE_HZ
    voice = sum(np.sin(k * phase) / k for k in (1, 2, 3, 4)) * np.clip(open_01 * 2.2, 0.05, 1)
    samples = np.round(np.clip(voice * 0.25, -1, 1) * 32767).astype("<i2")
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())
    return stream.getvalue()


def main(folder: Path) -> None:
    """Write both files into `folder`."""
    assets = load_assets("full")
    studio = Studio(assets, SIZE)
    photo = studio.clip(REFERENCE, frames=1, framing="half", style="talk", talking=False)
    image = Image.fromarray(photo.frames_u8[0])
    image.save(folder / "reference.jpg", quality=93, comment=b"synthetic person, rendered")
    film = studio.clip(DRIVING, frames=FRAMES, fps=FPS, framing="half", style="talk", talking=True)
    jaw = film.expression[:, assets.arkit_names.index("jawOpen")]
    mark = ai_mark(note="synthetic person, rendered")
    write_video(folder / "driving.mp4", iter(film.frames_u8), Fraction(FPS), audio_from=tones(jaw), metadata=mark)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
