"""The default backend: MediaPipe's networks on one video, two stages side by side (bodies; faces and hands)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from stages.core.errors import UsageError
from stages.pose.mediapipe import detector as detectors
from stages.pose.mediapipe.details import Details, expected_face, face_of_detection
from stages.pose.mediapipe.face import FaceNet
from stages.pose.mediapipe.landmarks import BodyNet, BodyResult, HandNet
from stages.pose.mediapipe.networks import NETWORKS
from stages.pose.mediapipe.record import Recorder, Sight
from stages.pose.mediapipe.roi import Picture, Roi
from stages.pose.mediapipe.search import Search
from stages.pose.mediapipe.tracker import BodyTracker
from stages.pose.persons import box_iou
from stages.pose.track import PoseTrack
from stages.weights import describe, resolve
from stages.weights.litert import Net

_LONE_FACE_SCORE = 0.6
_AHEAD_FRAMES = 3
T = TypeVar("T")


@dataclass(frozen=True)
class MediaPipeParams:
    """Settings of the backend.

    person       largest, center, left, right, or a number
    max_people   people followed at once; with 1 nobody else is looked for while one is followed
    threads      CPU threads: 1 = everything in turn, 2 = bodies beside faces and hands, more = also inside networks
    rescan_s     seconds between looks for new people while somebody is followed
    retry_s      seconds for which a lost body is looked for around its last place
    deep_every   frames between tile searches while nobody is there
    weights      network name -> the user's own file (with the registered checksum)
    """

    person: str = "largest"
    max_people: int = 4
    threads: int = 2
    rescan_s: float = 1.0
    retry_s: float = 0.5
    deep_every: int = 6
    weights: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.weights or {}) - set(NETWORKS))
        if unknown:
            raise UsageError(f"weights of the mediapipe backend: {unknown[0]!r}, expected {', '.join(NETWORKS)}")
        if self.threads < 1 or self.max_people < 1:
            raise UsageError(f"mediapipe backend: threads {self.threads}, max_people {self.max_people}, expected >= 1")


class MediaPipeBackend:
    """Backend (see stages.pose.track.Backend). Networks are loaded at the first use; one object serves one thread."""

    def __init__(self, params: MediaPipeParams | None = None) -> None:
        self.params = params or MediaPipeParams()
        self.people: dict[int, int] = {}  # frames per person of the last video

    def paths(self) -> dict[str, Path]:
        """The verified network files."""
        own = self.params.weights or {}
        return {name: resolve(name, path=own.get(name)) for name in NETWORKS}

    def process(
        self, frames: Iterable[np.ndarray], fps: float, progress: Callable[[int], None] | None = None
    ) -> PoseTrack:
        """The chosen person's track; `progress` gets the number of frames done.

        errors  WeightsError when a network is not to be had; UsageError for a person who is not there
        """
        (track,) = self.pieces(frames, fps, progress)
        return track

    def pieces(
        self, frames: Iterable[np.ndarray], fps: float, progress: Callable[[int], None] | None = None, most: int = 0
    ) -> Iterator[PoseTrack]:
        """Yield the same track in pieces of `most` frames, so that no length of video fills the memory; 0 = one piece.

        The person is chosen in the first piece that shows anybody. At least one piece comes, of no frames where there
        are none.
        """
        stream = self.stream(fps)
        given = False
        depth = _AHEAD_FRAMES if self.params.threads > 1 else 0
        for done, sighted in enumerate(ahead((stream.bodies(frame) for frame in frames), depth), 1):
            stream.details(*sighted)
            if progress is not None:
                progress(done)
            if most and done % most == 0:
                given = True
                yield stream.track()
        self.people = stream.people()
        if stream.waiting or not given:
            yield stream.track()

    def stream(self, fps: float) -> PoseStream:
        """The same tracker for whoever has no iterator of frames but gets them one by one. errors  WeightsError"""
        return PoseStream(self.params, self.paths(), float(fps))


class PoseStream:
    """Follows the people of one video whose frames are put in one after the other. Networks are loaded at once."""

    def __init__(self, params: MediaPipeParams, paths: Mapping[str, Path], fps: float) -> None:
        inner = max(1, params.threads // 2)

        def net(name: str) -> Net:
            return Net(paths[name], inner)

        body = BodyNet(net("pose_landmark"))
        people = detectors.pose_detector(net("pose_detection"))
        self._params, self._fps = params, fps
        self._tracker = BodyTracker(
            body=body,
            search=Search(people, detectors.face_detector_far(net("face_detection_full")), body),
            people=params.max_people,
            retry=max(1, round(params.retry_s * fps)),
            rescan=max(1, round(params.rescan_s * fps)),
            deep_rescan=params.deep_every,
        )
        self._finder = _Finder(
            face=FaceNet(net("face_landmark"), net("iris_landmark")),
            near=detectors.face_detector_near(net("face_detection_short")),
            far=detectors.face_detector_far(net("face_detection_full")),
            hand=HandNet(net("hand_landmark"), net("hand_recrop")),
            palms=detectors.palm_detector(net("palm_detection")),
        )
        self._recorder: Recorder | None = None

    def add(self, frame_u8: np.ndarray) -> None:
        """The next frame, uint8 [H, W, 3] RGB; it is not kept."""
        self.details(*self.bodies(frame_u8))

    def bodies(self, frame_u8: np.ndarray) -> tuple[Picture, dict[int, BodyResult]]:
        """First half of `add`: needs the frame before to be through this half only, so another thread may go ahead."""
        picture = Picture(frame_u8)
        return picture, self._tracker.update(picture)

    def details(self, picture: Picture, seen: dict[int, BodyResult]) -> None:
        """Second half of `add`: faces and hands of the bodies that were found."""
        self._recorder = self._recorder or Recorder(picture.size)
        self._recorder.add(self._finder.sights(picture, seen, self._recorder.aliases))

    @property
    def waiting(self) -> int:
        """Frames since the last `track`."""
        return len(self._recorder.frames) if self._recorder is not None else 0

    def people(self) -> dict[int, int]:
        """Frames per person so far."""
        return self._recorder.people() if self._recorder is not None else {}

    def nearest(self, box_px: np.ndarray) -> str:
        """The person who shares the most area with a box [T, 4] (NaN = none) in the frames since the last `track`.

        returns  the number as `person` takes it; "largest" where nobody shares any
        """
        shared: dict[int, float] = {}
        for frame, box in zip(self._recorder.frames if self._recorder is not None else [], box_px, strict=True):
            for number, one in frame.items():
                overlap = box_iou(np.asarray(one["box_px"], np.float64), np.asarray(box, np.float64))
                shared[number] = shared.get(number, 0.0) + (overlap if np.isfinite(overlap) else 0.0)
        best = max(sorted(shared), key=lambda number: shared[number], default=-1)
        return str(best) if best >= 0 and shared[best] > 0 else self._params.person

    def track(self, person: str | None = None) -> PoseTrack:
        """The track of the frames since the last call, of the person of the params or of another; it is given away.

        errors  UsageError for a person who is not there
        """
        recorder = self._recorder or Recorder((0, 0))
        weights = {name: describe(name) for name in NETWORKS}
        return recorder.track(person or self._params.person, backend="mediapipe", weights=weights, fps=self._fps)


class _Finder:
    """Faces and hands of all people of a frame, and the face nobody's body was found for."""

    _LONE = -2  # number of the person known by the face alone, until a body claims it

    def __init__(self, face: FaceNet, near, far, hand: HandNet, palms) -> None:
        self._face, self._far = face, far
        self._make = lambda: Details(face, near, far, hand, palms)
        self._details: dict[int, Details] = {}
        self._lone: Roi | None = None
        self._lone_number: int | None = None

    def sights(self, picture: Picture, seen: Mapping[int, BodyResult], aliases: dict[int, int]) -> dict[int, Sight]:
        for number, details in self._details.items():
            if number not in seen:
                self._keep_face(number, details.lose(), alone=not seen)
        out = {}
        for number, body in seen.items():
            details = self._details.setdefault(number, self._make())
            out[number] = Sight(body, details.find_face(picture, body), details.find_hands(picture, body))
            self._claim(number, body, aliases)
        if not seen:
            out |= self._lone_face(picture)
        return out

    def _keep_face(self, number: int, region: Roi | None, *, alone: bool) -> None:
        """A face whose body was lost goes on as the lone face of the same person, when nobody else is there.

        In a close-up the body network's flag comes and goes while the face is plain to see.
        """
        if alone and self._lone is None and region is not None:
            self._lone, self._lone_number = region, number

    def _lone_face(self, picture: Picture) -> dict[int, Sight]:
        """A face without a body: followed by its own region, or the best detection of the whole frame."""
        result = None
        if self._lone is not None:
            result = self._face(picture, self._lone, 0.5)
            result = result if result.presence >= 0.5 else None
        if result is None:
            found = self._far.find(picture, detectors.whole_frame(picture.size), _LONE_FACE_SCORE)
            result = face_of_detection(picture, self._face, found[0]) if found else None
        self._lone = None if result is None else result.next_roi
        if result is None:
            return {}
        return {self._LONE if self._lone_number is None else self._lone_number: Sight(None, result, {})}

    def _claim(self, number: int, body: BodyResult, aliases: dict[int, int]) -> None:
        """A body that comes up where the lone face was is the same person."""
        if self._lone is not None:
            expected = expected_face(body)
            if np.hypot(self._lone.x - expected.x, self._lone.y - expected.y) < expected.side:
                if self._lone_number is None:
                    aliases[self._LONE] = number
                    self._lone_number = number
            self._lone = None


def ahead(items: Iterable[T], depth: int) -> Iterator[T]:
    """The same items in the same order, made by another thread up to `depth` items ahead; 0 = no thread.

    An exception of the maker is raised here; when the consumer stops early, the maker stops too.
    """
    if depth == 0:
        yield from items
        return
    line: queue.Queue = queue.Queue(depth)
    stop = threading.Event()

    def put(entry: tuple[str, object]) -> bool:
        while not stop.is_set():
            try:
                line.put(entry, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(("item", item)):
                    return
            put(("end", None))
        except BaseException as error:  # handed to the consumer, who raises it
            put(("error", error))

    maker = threading.Thread(target=make, daemon=True, name="pose-bodies")
    maker.start()
    try:
        while True:
            kind, value = line.get()
            if kind == "end":
                return
            if kind == "error":
                raise value  # type: ignore[misc]
            yield value  # type: ignore[misc]
    finally:
        stop.set()
        maker.join()
