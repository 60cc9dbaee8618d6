"""Pictures, films and sound: everything that touches a codec. All other code sees arrays of upright RGB frames."""

from stages.media.normalise import normalise
from stages.media.photo import read_photo, write_png
from stages.media.probe import MediaInfo, probe
from stages.media.reader import VideoReader, frames_from_bytes
from stages.media.sheet import contact_sheet
from stages.media.write import ai_mark, read_mark, write_video

__all__ = [
    "MediaInfo",
    "VideoReader",
    "ai_mark",
    "contact_sheet",
    "frames_from_bytes",
    "normalise",
    "probe",
    "read_mark",
    "read_photo",
    "write_png",
    "write_video",
]
