"""Weight products for tangents, whose text goes into generated modules.

Tangents are ``(trial, unit, vector)``: each function adds ``W @ tangents[trial]`` to ``out``.
Sums run over the presynaptic units in ascending order, as those of `neurodyn.compile.products`.
"""

import numpy as np

from neurodyn.compile.products import add_dense

#: Flags of the copied functions, see `neurodyn.compile.library.HEADER`.
DEFAULT_FLAGS = "INNER"

# ruff: noqa: F821  (ZERO and real are defined by the generated module)


def clear_vectors(out):
    for trial in range(out.shape[0]):
        for unit in range(out.shape[1]):
            for vector in range(out.shape[2]):
                out[trial, unit, vector] = ZERO


def add_dense_tangents(r, WT, out, r_T, W, out_T):
    """The product of a state and of its tangents; ``W`` and its transpose ``WT`` are given.

    A single tangent goes along with the state, in one pass over the weights: a large matrix has to
    come from memory, and that is what takes the time.
    """
    if out_T.shape[2] == 1:
        rows = r_T.reshape((r_T.shape[0], r_T.shape[1]))
        out_rows = out_T.reshape((out_T.shape[0], out_T.shape[1]))
        for trial in range(out.shape[0]):
            add_dense_pair(r[trial], rows[trial], WT, out[trial], out_rows[trial])
    else:
        add_dense(r, WT, out)
        for trial in range(out.shape[0]):
            add_dense(W, r_T[trial], out_T[trial])


def add_dense_pair(r, t, WT, out, t_out):
    n_pre = t.size
    n_post = t_out.size
    whole = np.uint64(n_pre // 4 * 4)
    for j in range(np.uint64(0), whole, _FOUR_ROWS):
        w0, w1, w2, w3 = WT[j], WT[j + _ONE_ROW], WT[j + _TWO_ROWS], WT[j + _THREE_ROWS]
        r0, r1, r2, r3 = r[j], r[j + _ONE_ROW], r[j + _TWO_ROWS], r[j + _THREE_ROWS]
        t0, t1, t2, t3 = t[j], t[j + _ONE_ROW], t[j + _TWO_ROWS], t[j + _THREE_ROWS]
        for i in range(n_post):
            out[i] = (((out[i] + r0 * w0[i]) + r1 * w1[i]) + r2 * w2[i]) + r3 * w3[i]
            t_out[i] = (((t_out[i] + t0 * w0[i]) + t1 * w1[i]) + t2 * w2[i]) + t3 * w3[i]
    for j in range(whole, np.uint64(n_pre)):
        w0 = WT[j]
        for i in range(n_post):
            out[i] = out[i] + r[j] * w0[i]
            t_out[i] = t_out[i] + t[j] * w0[i]


_ONE_ROW = np.uint64(1)
_TWO_ROWS = np.uint64(2)
_THREE_ROWS = np.uint64(3)
_FOUR_ROWS = np.uint64(4)


def add_sparse_vectors(tangents, indptr, indices, data, out, is_first):
    """With `is_first` the product is written rather than added, which saves a pass over `out`."""
    for trial in range(out.shape[0]):
        source = tangents[trial]
        for i in range(indptr.size - 1):
            row = out[trial, i]
            begin, end = np.uint64(indptr[i]), np.uint64(indptr[i + 1])
            if is_first and begin < end:
                weight = data[begin]
                vectors = source[np.uint64(indices[begin])]
                for v in range(row.size):
                    row[v] = weight * vectors[v]
                begin += _ONE_ROW
            elif is_first:
                for v in range(row.size):
                    row[v] = ZERO
            for k in range(begin, end):
                weight = data[k]
                vectors = source[np.uint64(indices[k])]
                for v in range(row.size):
                    row[v] += weight * vectors[v]


def add_low_rank_vectors(tangents, nT, mT, out):
    latent = np.empty(out.shape[2], real)
    for trial in range(out.shape[0]):
        for k in range(nT.shape[0]):
            latent[:] = ZERO
            for j in range(nT.shape[1]):
                vectors = tangents[trial, j]
                for v in range(latent.size):
                    latent[v] += nT[k, j] * vectors[v]
            for i in range(mT.shape[1]):
                row = out[trial, i]
                for v in range(latent.size):
                    row[v] += mT[k, i] * latent[v]


def add_diagonal_vectors(tangents, d, out):
    for trial in range(out.shape[0]):
        for i in range(d.size):
            row, vectors = out[trial, i], tangents[trial, i]
            for v in range(row.size):
                row[v] += d[i] * vectors[v]
