"""Weight products whose text goes into generated modules.

Each adds ``r @ W.T`` to ``out`` for a batch of trials. ``r`` is (trial, pre) and ``out`` (trial,
post), both C-contiguous. Every element of ``out`` is a sum over the presynaptic units in ascending
order, one fused multiply-add a unit, whatever the number of trials: so a trial's numbers do not
depend on the batch that it is computed in, which no BLAS promises. The panels of four trials by
four presynaptic units keep the postsynaptic row in cache and vectorise over it; on AVX-512 they
reach or beat OpenBLAS, on AVX2 they come close.
"""

# ruff: noqa: F821  (functions find each other, and `project`, inside the generated module)


def clear(out):
    for trial in range(out.shape[0]):
        for unit in range(out.shape[1]):
            out[trial, unit] = 0


def copy_drive(drive, step, out):
    """Fill `out` from row `step` of a drive (step, trial or 1, unit or 1); one row holds always."""
    row = 0 if drive.shape[0] == 1 else step
    for trial in range(out.shape[0]):
        source = trial if drive.shape[1] > 1 else 0
        if drive.shape[2] > 1:
            for unit in range(out.shape[1]):
                out[trial, unit] = drive[row, source, unit]
        else:
            for unit in range(out.shape[1]):
                out[trial, unit] = drive[row, source, 0]


def panel_4x4(n_post, r, trial, pre, WT, out):
    w0 = WT[pre]
    w1 = WT[pre + 1]
    w2 = WT[pre + 2]
    w3 = WT[pre + 3]
    out0 = out[trial]
    out1 = out[trial + 1]
    out2 = out[trial + 2]
    out3 = out[trial + 3]
    a0, a1, a2, a3 = r[trial, pre], r[trial, pre + 1], r[trial, pre + 2], r[trial, pre + 3]
    b, c, d = trial + 1, trial + 2, trial + 3
    b0, b1, b2, b3 = r[b, pre], r[b, pre + 1], r[b, pre + 2], r[b, pre + 3]
    c0, c1, c2, c3 = r[c, pre], r[c, pre + 1], r[c, pre + 2], r[c, pre + 3]
    d0, d1, d2, d3 = r[d, pre], r[d, pre + 1], r[d, pre + 2], r[d, pre + 3]
    for i in range(n_post):
        v0, v1, v2, v3 = w0[i], w1[i], w2[i], w3[i]
        out0[i] = (((out0[i] + a0 * v0) + a1 * v1) + a2 * v2) + a3 * v3
        out1[i] = (((out1[i] + b0 * v0) + b1 * v1) + b2 * v2) + b3 * v3
        out2[i] = (((out2[i] + c0 * v0) + c1 * v1) + c2 * v2) + c3 * v3
        out3[i] = (((out3[i] + d0 * v0) + d1 * v1) + d2 * v2) + d3 * v3


def panel_1x8(n_post, r, trial, pre, WT, out):
    w0 = WT[pre]
    w1 = WT[pre + 1]
    w2 = WT[pre + 2]
    w3 = WT[pre + 3]
    w4 = WT[pre + 4]
    w5 = WT[pre + 5]
    w6 = WT[pre + 6]
    w7 = WT[pre + 7]
    row = out[trial]
    a0, a1, a2, a3 = r[trial, pre], r[trial, pre + 1], r[trial, pre + 2], r[trial, pre + 3]
    a4, a5, a6, a7 = r[trial, pre + 4], r[trial, pre + 5], r[trial, pre + 6], r[trial, pre + 7]
    for i in range(n_post):
        first = (((row[i] + a0 * w0[i]) + a1 * w1[i]) + a2 * w2[i]) + a3 * w3[i]
        row[i] = (((first + a4 * w4[i]) + a5 * w5[i]) + a6 * w6[i]) + a7 * w7[i]


def panel_1x1(n_post, r, trial, pre, WT, out):
    w0 = WT[pre]
    row = out[trial]
    a0 = r[trial, pre]
    for i in range(n_post):
        row[i] = row[i] + a0 * w0[i]


def add_dense(r, WT, out):
    n_trials, n_pre = r.shape
    n_post = WT.shape[1]
    n_paneled = n_trials // 4 * 4
    # Rows of WT that stay in the level-2 cache while all trials pass over them.
    block = n_pre if n_trials <= 4 else max(64, 524288 // (n_post * WT.itemsize) // 8 * 8)
    for start in range(0, n_pre, block):
        stop = min(n_pre, start + block)
        whole = start + (stop - start) // 8 * 8
        for trial in range(0, n_paneled, 4):
            for pre in range(start, whole, 4):
                panel_4x4(n_post, r, trial, pre, WT, out)
        for trial in range(n_paneled, n_trials):
            for pre in range(start, whole, 8):
                panel_1x8(n_post, r, trial, pre, WT, out)
        for trial in range(n_trials):
            for pre in range(whole, stop):
                panel_1x1(n_post, r, trial, pre, WT, out)


def add_low_rank(r, nT, mT, out):
    rank = nT.shape[0]
    n_post = mT.shape[1]
    for trial in range(r.shape[0]):
        row = out[trial]
        for k in range(0, rank - 1, 2):
            m0 = mT[k]
            m1 = mT[k + 1]
            latent0 = project(r[trial], nT[k])
            latent1 = project(r[trial], nT[k + 1])
            for i in range(n_post):
                row[i] = (row[i] + latent0 * m0[i]) + latent1 * m1[i]
        if rank % 2 == 1:
            m0 = mT[rank - 1]
            latent0 = project(r[trial], nT[rank - 1])
            for i in range(n_post):
                row[i] = row[i] + latent0 * m0[i]


def project(row, n):
    # Compiled with reassociation, so that the sum runs in vector lanes; its order is fixed by n.
    total = row[0] * n[0]
    for i in range(1, row.size):
        total += row[i] * n[i]
    return total


def add_sparse(r, indptr, indices, data, out):
    for trial in range(out.shape[0]):
        for i in range(out.shape[1]):
            total = out[trial, i]
            for k in range(indptr[i], indptr[i + 1]):
                total = total + data[k] * r[trial, indices[k]]
            out[trial, i] = total


def add_diagonal(r, d, out):
    for trial in range(out.shape[0]):
        for i in range(out.shape[1]):
            out[trial, i] += d[i] * r[trial, i]


def record_rows(workspace, rows, units, out, sample):
    """Copy recorded quantities into row `sample` of `out` (trial, sample, column).

    `rows` holds slot, start in `units`, number of units, and first column of each quantity.
    """
    for q in range(rows.shape[0]):
        slot, start, count, column = rows[q, 0], rows[q, 1], rows[q, 2], rows[q, 3]
        for trial in range(out.shape[0]):
            for k in range(count):
                out[trial, sample, column + k] = workspace[slot, trial, units[start + k]]
