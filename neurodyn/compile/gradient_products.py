"""Products of backpropagation whose text goes into generated modules.

Beside those of `neurodyn.compile.products`: sums of outer products, which are the gradients of full
matrices, and products onto a handful of units, such as a readout.
"""

import numpy as np

#: Flags of the copied functions, see `neurodyn.compile.library.HEADER`.
DEFAULT_FLAGS = "INNER"

# ruff: noqa: F821  (`add_dense` is copied beside them)

#: Below so many postsynaptic units the vectors of `add_dense` would be mostly empty.
_NARROW = 8


def copy_rows(rows, out):
    for trial in range(out.shape[0]):
        for unit in range(out.shape[1]):
            out[trial, unit] = rows[trial, unit]


def add_full(r, WT, out):
    """`add_dense`, to the last bit, and fast for few postsynaptic units too."""
    if WT.shape[1] < _NARROW:
        add_narrow(r, WT, out)
    else:
        add_dense(r, WT, out)


def add_narrow(r, WT, out):
    # Eight sums at once hide the latency of the additions; each is in ascending order.
    n_trials = r.shape[0]
    n_pre, n_post = WT.shape
    whole = n_trials // 8 * 8
    for a in range(0, whole, 8):
        r0, r1, r2, r3 = r[a], r[a + 1], r[a + 2], r[a + 3]
        r4, r5, r6, r7 = r[a + 4], r[a + 5], r[a + 6], r[a + 7]
        for i in range(n_post):
            s0, s1, s2, s3 = out[a, i], out[a + 1, i], out[a + 2, i], out[a + 3, i]
            s4, s5, s6, s7 = out[a + 4, i], out[a + 5, i], out[a + 6, i], out[a + 7, i]
            for j in range(n_pre):
                w = WT[j, i]
                s0, s1, s2, s3 = s0 + r0[j] * w, s1 + r1[j] * w, s2 + r2[j] * w, s3 + r3[j] * w
                s4, s5, s6, s7 = s4 + r4[j] * w, s5 + r5[j] * w, s6 + r6[j] * w, s7 + r7[j] * w
            out[a, i], out[a + 1, i], out[a + 2, i], out[a + 3, i] = s0, s1, s2, s3
            out[a + 4, i], out[a + 5, i], out[a + 6, i], out[a + 7, i] = s4, s5, s6, s7
    for a in range(whole, n_trials):
        for i in range(n_post):
            s0 = out[a, i]
            for j in range(n_pre):
                s0 = s0 + r[a, j] * WT[j, i]
            out[a, i] = s0


_OUTER_1 = np.uint64(1)
_OUTER_2 = np.uint64(2)
_OUTER_3 = np.uint64(3)
_OUTER_4 = np.uint64(4)


def add_outer(a, b, trial, out):
    """Add the sum over k of the outer products of ``a[k, trial]`` and ``b[k, trial]`` to `out`.

    ``a`` (k, trial, unit) and ``b`` (k, trial, unit); `out` has a row for each unit of a, though
    rows of a may be longer, and rows as long as b's.
    """
    n_rows, n_columns = out.shape
    n_terms = a.shape[0]
    # So many rows of b stay in the level-1 cache while all panels of four rows of `out` pass.
    chunk = max(8, 24576 // (n_columns * b.itemsize) // 4 * 4)
    paneled = np.uint64(n_rows // 4 * 4)
    for start in range(0, n_terms, chunk):
        first = np.uint64(start)
        stop = np.uint64(min(n_terms, start + chunk))
        whole = first + (stop - first) // _OUTER_4 * _OUTER_4
        for j in range(np.uint64(0), paneled, _OUTER_4):
            j1, j2, j3 = j + _OUTER_1, j + _OUTER_2, j + _OUTER_3
            out0, out1, out2, out3 = out[j], out[j1], out[j2], out[j3]
            for k in range(first, whole, _OUTER_4):
                row0, row1 = a[k, trial], a[k + _OUTER_1, trial]
                row2, row3 = a[k + _OUTER_2, trial], a[k + _OUTER_3, trial]
                b0, b1 = b[k, trial], b[k + _OUTER_1, trial]
                b2, b3 = b[k + _OUTER_2, trial], b[k + _OUTER_3, trial]
                p0, p1, p2, p3 = row0[j], row1[j], row2[j], row3[j]
                q0, q1, q2, q3 = row0[j1], row1[j1], row2[j1], row3[j1]
                u0, u1, u2, u3 = row0[j2], row1[j2], row2[j2], row3[j2]
                v0, v1, v2, v3 = row0[j3], row1[j3], row2[j3], row3[j3]
                for i in range(n_columns):
                    c0, c1, c2, c3 = b0[i], b1[i], b2[i], b3[i]
                    out0[i] = (((out0[i] + p0 * c0) + p1 * c1) + p2 * c2) + p3 * c3
                    out1[i] = (((out1[i] + q0 * c0) + q1 * c1) + q2 * c2) + q3 * c3
                    out2[i] = (((out2[i] + u0 * c0) + u1 * c1) + u2 * c2) + u3 * c3
                    out3[i] = (((out3[i] + v0 * c0) + v1 * c1) + v2 * c2) + v3 * c3
            for k in range(whole, stop):
                row0, b0 = a[k, trial], b[k, trial]
                p0, q0, u0, v0 = row0[j], row0[j1], row0[j2], row0[j3]
                for i in range(n_columns):
                    c0 = b0[i]
                    out0[i] = out0[i] + p0 * c0
                    out1[i] = out1[i] + q0 * c0
                    out2[i] = out2[i] + u0 * c0
                    out3[i] = out3[i] + v0 * c0
        for j in range(paneled, np.uint64(n_rows)):
            out0 = out[j]
            for k in range(first, whole, _OUTER_4):
                p0, p1 = a[k, trial, j], a[k + _OUTER_1, trial, j]
                p2, p3 = a[k + _OUTER_2, trial, j], a[k + _OUTER_3, trial, j]
                b0, b1 = b[k, trial], b[k + _OUTER_1, trial]
                b2, b3 = b[k + _OUTER_2, trial], b[k + _OUTER_3, trial]
                for i in range(n_columns):
                    out0[i] = (((out0[i] + p0 * b0[i]) + p1 * b1[i]) + p2 * b2[i]) + p3 * b3[i]
            for k in range(whole, stop):
                p0, b0 = a[k, trial, j], b[k, trial]
                for i in range(n_columns):
                    out0[i] = out0[i] + p0 * b0[i]
