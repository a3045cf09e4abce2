"""Weight products whose text goes into generated modules.

Each adds ``r @ W.T`` to ``out`` for a batch of trials. ``r`` is (trial, pre) and ``out`` (trial,
post), both C-contiguous; their rows may be longer than there are units (`padded_size`), so sizes
are taken from the weights. Every element of ``out`` is a sum over the presynaptic units in
ascending order, one fused multiply-add a unit, whatever the number of trials: so a trial's numbers
do not depend on the batch that it is computed in, which no BLAS promises. The panels of four trials
by four presynaptic units keep the postsynaptic row in cache and vectorise over it; on AVX-512 they
beat OpenBLAS, on AVX2 they come close.
"""

import numpy as np

#: Flags of the copied functions, see `neurodyn.compile.library.HEADER`.
DEFAULT_FLAGS = "INNER"
#: Projections sum in vector lanes, which is a reordering, though the same in every run.
FLAGS = {"project": "REDUCTION", "project_two": "REDUCTION"}

# ruff: noqa: F821  (ZERO is defined by the generated module)


def clear(out):
    for trial in range(out.shape[0]):
        for unit in range(out.shape[1]):
            out[trial, unit] = 0


def add_rows(rows, out):
    for trial in range(out.shape[0]):
        for unit in range(out.shape[1]):
            out[trial, unit] += rows[trial, unit]


def copy_drive(drive, step, out):
    """Fill `out` from row `step` of a drive (step, trial or 1, unit or 1); one row holds always."""
    row = 0 if drive.shape[0] == 1 else step
    for trial in range(out.shape[0]):
        source = trial if drive.shape[1] > 1 else 0
        if drive.shape[2] > 1:
            for unit in range(drive.shape[2]):
                out[trial, unit] = drive[row, source, unit]
        else:
            for unit in range(out.shape[1]):
                out[trial, unit] = drive[row, source, 0]


_1 = np.uint64(1)
_2 = np.uint64(2)
_3 = np.uint64(3)
_4 = np.uint64(4)


def add_dense(r, WT, out):
    n_trials = r.shape[0]
    n_pre, n_post = WT.shape
    n_paneled = n_trials // 4 * 4
    # Rows of WT that stay in the level-2 cache while all trials pass over them.
    block = n_pre if n_trials <= 4 else max(64, 524288 // (n_post * WT.itemsize) // 4 * 4)
    for start in range(0, n_pre, block):
        # Unsigned, because for a signed index numba allows for counting from the end, and that
        # code takes registers: a third of the time.
        first = np.uint64(start)
        stop = np.uint64(min(n_pre, start + block))
        whole = first + (stop - first) // _4 * _4
        for a in range(0, n_paneled, 4):
            b, c, d = a + 1, a + 2, a + 3
            out0, out1, out2, out3 = out[a], out[b], out[c], out[d]
            for j in range(first, whole, _4):
                w0, w1, w2, w3 = WT[j], WT[j + _1], WT[j + _2], WT[j + _3]
                a0, a1, a2, a3 = r[a, j], r[a, j + _1], r[a, j + _2], r[a, j + _3]
                b0, b1, b2, b3 = r[b, j], r[b, j + _1], r[b, j + _2], r[b, j + _3]
                c0, c1, c2, c3 = r[c, j], r[c, j + _1], r[c, j + _2], r[c, j + _3]
                d0, d1, d2, d3 = r[d, j], r[d, j + _1], r[d, j + _2], r[d, j + _3]
                for i in range(n_post):
                    v0, v1, v2, v3 = w0[i], w1[i], w2[i], w3[i]
                    out0[i] = (((out0[i] + a0 * v0) + a1 * v1) + a2 * v2) + a3 * v3
                    out1[i] = (((out1[i] + b0 * v0) + b1 * v1) + b2 * v2) + b3 * v3
                    out2[i] = (((out2[i] + c0 * v0) + c1 * v1) + c2 * v2) + c3 * v3
                    out3[i] = (((out3[i] + d0 * v0) + d1 * v1) + d2 * v2) + d3 * v3
        for a in range(n_paneled, n_trials):
            row = out[a]
            for j in range(first, whole, _4):
                w0, w1, w2, w3 = WT[j], WT[j + _1], WT[j + _2], WT[j + _3]
                a0, a1, a2, a3 = r[a, j], r[a, j + _1], r[a, j + _2], r[a, j + _3]
                for i in range(n_post):
                    row[i] = (((row[i] + a0 * w0[i]) + a1 * w1[i]) + a2 * w2[i]) + a3 * w3[i]
        for a in range(n_trials):
            row = out[a]
            for j in range(whole, stop):
                w0 = WT[j]
                a0 = r[a, j]
                for i in range(n_post):
                    row[i] = row[i] + a0 * w0[i]


def add_low_rank(r, nT, mT, out, is_first):
    """With `is_first` the product is written rather than added, which saves a pass over `out`."""
    rank = nT.shape[0]
    for trial in range(r.shape[0]):
        source = r[trial]
        row = out[trial]
        paired = rank // 2 * 2
        for k in range(0, paired, 2):
            latent0, latent1 = project_two(source, nT[k], nT[k + 1])
            m0 = mT[k]
            m1 = mT[k + 1]
            if is_first and k == 0:
                for i in range(mT.shape[1]):
                    row[i] = latent0 * m0[i] + latent1 * m1[i]
            else:
                for i in range(mT.shape[1]):
                    row[i] = (row[i] + latent0 * m0[i]) + latent1 * m1[i]
        if paired < rank:
            latent0 = project(source, nT[paired])
            m0 = mT[paired]
            if is_first and paired == 0:
                for i in range(mT.shape[1]):
                    row[i] = latent0 * m0[i]
            else:
                for i in range(mT.shape[1]):
                    row[i] = row[i] + latent0 * m0[i]


def project(row, n):
    total = ZERO
    for i in range(n.size):
        total += row[i] * n[i]
    return total


def project_two(row, n0, n1):
    total0, total1 = ZERO, ZERO
    for i in range(n0.size):
        total0 += row[i] * n0[i]
        total1 += row[i] * n1[i]
    return total0, total1


def add_sparse(r, indptr, indices, data, out):
    for trial in range(out.shape[0]):
        for i in range(indptr.size - 1):
            total = out[trial, i]
            for k in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
                total = total + data[k] * r[trial, np.uint64(indices[k])]
            out[trial, i] = total


def add_plastic_dense(r, w, out):
    """``w`` (trial, pre, post), other weights in every trial."""
    for trial in range(out.shape[0]):
        row = out[trial]
        for j in range(w.shape[1]):
            weights = w[trial, j]
            rate = r[trial, j]
            for i in range(weights.size):
                row[i] += rate * weights[i]


def add_plastic_sparse(r, start, stop, targets, w, out):
    """``w`` (trial, synapse), by source as spikes are delivered."""
    for trial in range(out.shape[0]):
        row, weights = out[trial], w[trial]
        for j in range(start.size):
            rate = r[trial, j]
            for q in range(np.uint64(start[j]), np.uint64(stop[j])):
                row[np.uint64(targets[q])] += rate * weights[q]


def add_diagonal(r, d, out):
    for trial in range(out.shape[0]):
        for i in range(d.size):
            out[trial, i] += d[i] * r[trial, i]


def record_synapses(values, variable, rows, places, out, sample):
    """Copy what is recorded of the synapses, ``values`` (trial, synapse).

    `rows` holds variable, start in `places`, number of synapses, and first column of each.
    """
    for n in range(rows.shape[0]):
        if rows[n, 0] == variable:
            start, count, column = rows[n, 1], rows[n, 2], rows[n, 3]
            for trial in range(out.shape[0]):
                for k in range(count):
                    out[trial, sample, column + k] = values[trial, places[start + k]]


def record_rows(workspace, rows, units, out, sample):
    """Copy recorded quantities into row `sample` of `out` (trial, sample, column).

    `rows` holds slot, start in `units`, number of units, and first column of each quantity.
    """
    for q in range(rows.shape[0]):
        slot, start, count, column = rows[q, 0], rows[q, 1], rows[q, 2], rows[q, 3]
        for trial in range(out.shape[0]):
            for k in range(count):
                out[trial, sample, column + k] = workspace[slot, trial, units[start + k]]
