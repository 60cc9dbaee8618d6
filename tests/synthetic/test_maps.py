"""Control maps drawn from the truth: the bytes of render-spheres, and the head they show is the true one."""

from dataclasses import replace

import numpy as np
import pytest

from stages import render_spheres, synth
from stages.bundle import open_bundle
from stages.core.geometry import rotation_angle_deg
from stages.head.sphere import recover_sphere

PARAMS = synth.Params(frames=3, size=64, references=0, split="test", seed=301, framing="half", maps=True)


@pytest.fixture(scope="module")
def bundle(full, tmp_path_factory):
    params = replace(PARAMS, out=str(tmp_path_factory.mktemp("maps")), assets="full")
    (record,) = synth.run_all(params)
    return open_bundle(record.path)


def test_the_sphere_shows_the_true_head(bundle):
    truth = {name: bundle.read("truth", name) for name in ("head_center_px", "head_radius_px", "R_cam_head")}
    for t, sphere in enumerate(bundle.read("truth", "sphere_map")):
        center, radius, R = recover_sphere(sphere)
        assert np.abs(center - truth["head_center_px"][t]).max() < 0.1
        assert abs(radius / truth["head_radius_px"][t] - 1) < 0.02
        assert rotation_angle_deg(R, truth["R_cam_head"][t]) < 1.0


def test_render_spheres_reads_synthetic_people_as_extracted_ones(bundle):
    record = render_spheres.run(bundle.path, render_spheres.Params(size="64", overwrite=True))
    assert record.data["heads"] == record.data["bodies"] == 3
    head = open_bundle(bundle.path)
    angle = rotation_angle_deg(head.read("head", "R_cam_head"), head.read("truth", "R_cam_head"))
    assert angle.max() < 9, f"{angle.max():.1f} degrees, tolerance 9 (one face against the average template)"
    assert (head.read("head", "source") == 1).all(), "the head was not taken from the face points"


def test_maps_are_the_bytes_of_render_spheres(bundle, monkeypatch):
    """With the exact head and the picture itself as the canvas, render-spheres draws the same."""
    from stages.body import framing
    from stages.head import track

    truth = {name: bundle.read("truth", name) for name in ("head_center_px", "head_radius_px", "R_cam_head")}

    def exact(pose, K_px, layout, params=None):
        frames = len(pose["present"])
        return track.HeadTrack(
            truth["R_cam_head"], truth["head_center_px"], truth["head_radius_px"],
            float(bundle.read("truth", "head_radius_m")), np.ones(frames, bool), np.ones(frames, np.uint8),
        )  # fmt: skip

    monkeypatch.setattr(track, "track_head", exact)
    monkeypatch.setattr(framing, "window_around", lambda *_: framing.Window(1.0, (0.0, 0.0), 64, 64))
    render_spheres.run(bundle.path, render_spheres.Params(size="64", retarget=False, overwrite=True))
    again = open_bundle(bundle.path)
    assert again.read("body", "map").tobytes() == bundle.read("truth", "skeleton_map").tobytes()
    off = np.abs(again.read("head", "map").astype(int) - bundle.read("truth", "sphere_map"))
    assert off.max() <= 1, f"max {off.max()}: centre through metres and back, tolerance 1 grey level"
    assert (bundle.read("truth", "skeleton_map") > 0).any()


def test_the_extractor_finds_the_true_head_on_the_film(full, tmp_path):
    """extract-pose and render-spheres on the rendered film, against the sphere drawn from the truth."""
    from stages import extract_pose
    from stages.core.errors import WeightsError

    params = replace(PARAMS, out=str(tmp_path), assets="full", size=256, framing="portrait", frames=6, maps=True)
    (record,) = synth.run_all(params)
    made = open_bundle(record.path)
    film, found = tmp_path / "film.mp4", tmp_path / "found.zarr"
    film.write_bytes(made.read("clip", "media").tobytes())
    try:
        extract_pose.run(str(film), extract_pose.Params(output=str(found)))
    except WeightsError as error:
        pytest.skip(f"the pose networks cannot be had here: {error}")
    render_spheres.run(found, render_spheres.Params(size="256", framing="driver"))
    tracked = open_bundle(found)
    assert tracked.read("head", "valid").all()
    angle = rotation_angle_deg(tracked.read("head", "R_cam_head"), made.read("truth", "R_cam_head"))
    assert angle.mean() < 10, f"mean {angle.mean():.1f}, max {angle.max():.1f} degrees, tolerance 10 in the mean"
    affine = np.array(tracked.attrs("body")["canvas"]["driver_affine"])
    scale, shift = affine[0, 0], affine[:, 2]
    center_px = (tracked.read("head", "center_px") - shift) / scale
    radius_px = made.read("truth", "head_radius_px")
    off = np.linalg.norm(center_px - made.read("truth", "head_center_px"), axis=1) / radius_px
    size = tracked.read("head", "radius_px") / scale / radius_px
    assert off.mean() < 0.2, f"mean {off.mean():.3f} radii, tolerance 0.2"
    assert np.abs(size - 1).mean() < 0.15, f"mean {np.abs(size - 1).mean():.3f}, tolerance 0.15"
