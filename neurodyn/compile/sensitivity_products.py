"""Immediate influence of weights, and sums over sensitivities; text for generated modules.

Sensitivities are ``(trial, unit, vector)``. A trained array has, for each postsynaptic unit, a
place among the vectors where its entries for that unit begin.
"""

import numpy as np

#: Flags of the copied functions, see `neurodyn.compile.library.HEADER`.
DEFAULT_FLAGS = "INNER"

# ruff: noqa: F821  (ZERO and real are defined by the generated module)


def seed_dense(r, WT, places, out):
    """Derivatives of the drives by the entries of a matrix: what the source is."""
    for trial in range(out.shape[0]):
        row = r[trial, : WT.shape[0]]
        for i in range(places.size):
            seeded = out[trial, i, places[i] : places[i] + row.size]
            for j in range(row.size):
                seeded[j] += row[j]


def seed_sparse(r, indptr, indices, places, out):
    for trial in range(out.shape[0]):
        for i in range(places.size):
            place = places[i] - indptr[i]
            for k in range(indptr[i], indptr[i + 1]):
                out[trial, i, place + k] += r[trial, indices[k]]


def seed_post(r, nT, places, out):
    """By the factor of a low-rank matrix on the side of the targets."""
    latent = np.empty((out.shape[0], nT.shape[0]), real)
    latent_rows(r, nT, latent)
    for trial in range(out.shape[0]):
        for i in range(places.size):
            for k in range(nT.shape[0]):
                out[trial, i, places[i] + k] += latent[trial, k]


def seed_pre(r, mT, n_pre, places, out):
    """By the factor on the side of the sources, all of one column of it after the other."""
    for trial in range(out.shape[0]):
        row = r[trial, :n_pre]
        for i in range(places.size):
            for k in range(mT.shape[0]):
                seeded = out[trial, i, places[i] + k * n_pre : places[i] + (k + 1) * n_pre]
                weight = mT[k, i]
                for j in range(n_pre):
                    seeded[j] += weight * row[j]


def seed_diagonal(r, places, out):
    for trial in range(out.shape[0]):
        for i in range(places.size):
            out[trial, i, places[i]] += r[trial, i]


def latent_rows(r, nT, out):
    for trial in range(out.shape[0]):
        for k in range(nT.shape[0]):
            total = ZERO
            for j in range(nT.shape[1]):
                total += r[trial, j] * nT[k, j]
            out[trial, k] = total


def contract_rows(signal, sensitivities, columns, shared, own):
    """Add signals times sensitivities of one state, summed over units.

    The first vectors of a unit belong to `shared` (column, vector), summed over trials too; those
    after them to `own` (trial, column, vector).
    """
    n_shared = shared.shape[1]
    n_own = own.shape[2]
    for unit in range(columns.size):
        total = shared[columns[unit]]
        for trial in range(sensitivities.shape[0]):
            weight = signal[trial, unit]
            if weight == ZERO:
                continue
            row = sensitivities[trial, unit, :n_shared]
            for v in range(n_shared):
                total[v] += weight * row[v]
            rest = sensitivities[trial, unit, n_shared : n_shared + n_own]
            own_total = own[trial, columns[unit]]
            for v in range(n_own):
                own_total[v] += weight * rest[v]
