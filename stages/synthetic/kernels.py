"""Numba kernels that deform a body: sparse morphs, proxy fitting, linear blend skinning, vertex normals."""

import numba
import numpy as np


@numba.njit(cache=True)
def add_morph(vertices, index, delta, weight):
    """Add `weight * delta` in place. vertices f32 [V,3]; index i32 [K]; delta f32 [K,3]."""
    for i in range(index.shape[0]):
        row = index[i]
        for axis in range(3):
            vertices[row, axis] += weight * delta[i, axis]


@numba.njit(fastmath=True, cache=True)
def fit_to_base(base, corner, weight, offset, out):
    """Place each point at a weighted sum of three base vertices plus an offset (MakeHuman proxy rule).

    base f32 [V,3]; corner i32 [P,3]; weight f32 [P,3]; offset f32 [P,3]; out f32 [P,3] is written
    """
    for i in range(corner.shape[0]):
        for axis in range(3):
            out[i, axis] = (
                weight[i, 0] * base[corner[i, 0], axis]
                + weight[i, 1] * base[corner[i, 1], axis]
                + weight[i, 2] * base[corner[i, 2], axis]
                + offset[i, axis]
            )


@numba.njit(cache=True)
def chain(parents, head, local, root_shift, out):
    """World-from-rest transforms f64 [B+1,3,4], written to out: every bone turned about its head on top of its parent.

    parents i32 [B], -1 = none, parents first; head f64 [B,3]; local f64 [B,3,3]; the last row is the identity
    """
    for bone in range(parents.shape[0]):
        parent = parents[bone]
        for i in range(3):
            shift = root_shift[i] if parent < 0 else out[parent, i, 3]
            for k in range(3):
                base = (1.0 if i == k else 0.0) if parent < 0 else out[parent, i, k]
                pivot = head[bone, k]
                for j in range(3):
                    out[bone, i, j] += base * local[bone, k, j]
                    pivot -= local[bone, k, j] * head[bone, j]
                shift += base * pivot
            out[bone, i, 3] = shift
    for i in range(3):
        out[parents.shape[0], i, i] = 1.0


@numba.njit(fastmath=True, cache=True)
def skin(rest, bone, weight, transform, out):
    """Linear blend skinning. rest f32 [P,3]; bone i32, weight f32 [P,K], largest first; transform f32 [B,3,4]."""
    for i in range(rest.shape[0]):
        x, y, z = rest[i, 0], rest[i, 1], rest[i, 2]
        px, py, pz = 0.0, 0.0, 0.0
        for k in range(bone.shape[1]):
            w = weight[i, k]
            if w == 0:
                break
            m = transform[bone[i, k]]
            px += w * (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3])
            py += w * (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3])
            pz += w * (m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3])
        out[i, 0], out[i, 1], out[i, 2] = px, py, pz


@numba.njit(fastmath=True, cache=True)
def lag(rest, bone, weight, loose, looseness, trail, share, out):
    """Move loose points part of the way to where they were: p = (1 - l) p(t) + l sum_k share_k p(t - k).

    loose i32 [L] which points; looseness f32 [P]; trail f32 [K,B,3,4] earlier transforms; share f32 [K] sums to 1
    """
    for at in range(loose.shape[0]):
        i = loose[at]
        x, y, z = rest[i, 0], rest[i, 1], rest[i, 2]
        px, py, pz = 0.0, 0.0, 0.0
        for moment in range(trail.shape[0]):
            for k in range(bone.shape[1]):
                w = weight[i, k]
                if w == 0:
                    break
                m = trail[moment, bone[i, k]]
                w *= share[moment]
                px += w * (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3])
                py += w * (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3])
                pz += w * (m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3])
        part = looseness[i]
        out[i, 0] += part * (px - out[i, 0])
        out[i, 1] += part * (py - out[i, 1])
        out[i, 2] += part * (pz - out[i, 2])


@numba.njit(fastmath=True, cache=True)
def vertex_normals(vertices, triangles, out):
    """Unit normals, the mean of the adjacent faces weighted by their area. out f32 [P,3] is written."""
    out[:] = 0
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        e0, e1, e2 = (vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2])
        f0, f1, f2 = (vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2])
        n0, n1, n2 = e1 * f2 - e2 * f1, e2 * f0 - e0 * f2, e0 * f1 - e1 * f0
        for corner in (a, b, c):
            out[corner, 0] += n0
            out[corner, 1] += n1
            out[corner, 2] += n2
    for i in range(out.shape[0]):
        length = (out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) ** 0.5 + 1e-9
        for axis in range(3):
            out[i, axis] /= length


def largest_weights(dense: np.ndarray, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """The `count` largest skinning weights of each point, largest first, summing to 1.

    dense    float32 [P, B]
    returns  bone int32 [P, count], weight float32 [P, count]
    """
    bone = np.zeros((len(dense), count), np.int32)
    weight = np.zeros((len(dense), count), np.float32)
    _insert_largest(np.ascontiguousarray(dense, np.float32), bone, weight)
    return bone, weight / (weight.sum(1, keepdims=True) + np.float32(1e-9))


@numba.njit(cache=True)
def _insert_largest(dense, bone, weight):
    """Keep the largest entries of each row by insertion; equal entries keep the order of the bones."""
    last = weight.shape[1] - 1
    for i in range(dense.shape[0]):
        for b in range(dense.shape[1]):
            value = dense[i, b]
            if value <= weight[i, last]:
                continue
            k = last
            while k > 0 and weight[i, k - 1] < value:
                weight[i, k] = weight[i, k - 1]
                bone[i, k] = bone[i, k - 1]
                k -= 1
            weight[i, k] = value
            bone[i, k] = b
