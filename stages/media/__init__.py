"""Pictures, films and sound: everything that touches a codec. All other code sees arrays of upright RGB frames."""

from stages.media.normalise import normalise
from stages.media.photo import read_photo, write_png
from stages.media.probe import MediaInfo, probe
from stages.media.reader import StillReader, VideoReader, clip_frames, clip_media, frames_from_bytes
from stages.media.sheet import contact_sheet, write_label
from stages.media.write import ai_mark, read_mark, write_video

__all__ = [
    "MediaInfo",
    "StillReader",
    "VideoReader",
    "ai_mark",
    "clip_frames",
    "clip_media",
    "contact_sheet",
    "frames_from_bytes",
    "normalise",
    "probe",
    "read_mark",
    "read_photo",
    "write_label",
    "write_png",
    "write_video",
]
