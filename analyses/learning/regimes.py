"""How far learning moved a network: weights, representations, tangent kernel.

Learning is called lazy where the kernel and the representations hardly change, and rich where they
do. The numbers are graded and depend on the task and on how long it was trained, so no label is
given: compare networks of the same final loss. One that has not learned looks perfectly lazy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn.analyses.activity._time_series import matrix, sample_unit
from neurodyn.analyses.activity.dimensions import MatrixRanks, matrix_ranks
from neurodyn.analyses.activity.representations import (
    kernel_alignment,
    representation_alignment,
    sign_similarity,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from neurodyn.network import Network


@dataclass(frozen=True, eq=False)
class WeightChange:
    """What learning did to one matrix of weights, W before and W' after.

    Attributes
    ----------
    change : float
        ``|W' - W|``, the Frobenius norm.
    relative_change : float
        ``|W' - W|/|W|``; inf where all weights were 0.
    norm_before, norm_after : float
    cosine : float
        Of the angle between W and W' as vectors; NaN if one is 0.
    sign_similarity : float
        Share of the weights that keep their sign.
    ranks_before, ranks_after, ranks_of_change : MatrixRanks or None
        None for a matrix of zeros.
    """

    change: float
    relative_change: float
    norm_before: float
    norm_after: float
    cosine: float
    sign_similarity: float
    ranks_before: MatrixRanks | None
    ranks_after: MatrixRanks | None
    ranks_of_change: MatrixRanks | None


@dataclass(frozen=True, eq=False)
class LearningRegime:
    """How far learning moved a network; None for what could not be computed.

    Attributes
    ----------
    weights : dict of str to WeightChange
        By coupling, ``"E.r->E.I_rec"``; ``"W"`` for arrays.
    weight_change : float
        ``|W' - W|`` over all matrices together. Richer learning changes more.
    relative_weight_change : float
        The same over ``|W|``.
    representation_alignment : float or None
        Of the activity before and after; smaller for richer learning.
    sign_similarity : float or None
        Share of the activities that keep their sign; smaller for richer learning.
    kernel_alignment : float or None
        Of the tangent kernels before and after; smaller for richer learning.
    notes : tuple of str
    """

    weights: dict[str, WeightChange]
    weight_change: float
    relative_weight_change: float
    representation_alignment: float | None
    sign_similarity: float | None
    kernel_alignment: float | None
    notes: tuple[str, ...]


def weight_change(before: Any, after: Any) -> WeightChange:
    """What learning did to one matrix of weights.

    Parameters
    ----------
    before, after : array, sparse matrix or weights object, (post, pre)

    Returns
    -------
    WeightChange

    Examples
    --------
    >>> found = weight_change(np.eye(2), [[1.0, 0.5], [0.0, 1.0]])
    >>> found.change, found.ranks_of_change.above
    (0.5, 1)
    """
    W0, W1 = matrix(before, "before", "(post, pre)"), matrix(after, "after", "(post, pre)")
    if W0.shape != W1.shape:
        raise ValueError(
            f"`before` and `after` must have the same shape; got {W0.shape} and {W1.shape}"
        )
    norm0, norm1 = float(np.linalg.norm(W0)), float(np.linalg.norm(W1))
    change = float(np.linalg.norm(W1 - W0))
    relative = change / norm0 if norm0 else (np.inf if change else 0.0)
    cosine = float((W0 * W1).sum() / (norm0 * norm1)) if norm0 and norm1 else float("nan")
    ranks = [matrix_ranks(W) if W.any() else None for W in (W0, W1, W1 - W0)]
    return WeightChange(
        change, float(relative), norm0, norm1, cosine, sign_similarity(W0, W1), *ranks
    )


def learning_regime(
    before: Network | Mapping[str, Any] | ArrayLike,
    after: Network | Mapping[str, Any] | ArrayLike,
    *,
    representations: tuple[ArrayLike, ArrayLike] | None = None,
    kernels: tuple[ArrayLike, ArrayLike] | None = None,
    couplings: list[str] | tuple[str, ...] | None = None,
) -> LearningRegime:
    """How far learning moved a network, in weights, representations and tangent kernel.

    Parameters
    ----------
    before, after : Network, mapping of str to weights, or array, (post, pre)
        The same network before and after learning.
    representations : pair of arrays, (sample, unit), optional
        Activity before and after, for the same inputs, for example at the decision.
    kernels : pair of arrays, (sample, sample), optional
        Tangent kernels before and after, on the same inputs. Which parameters they are taken over
        changes the numbers; Liu et al. take the recurrent weights only.
    couplings : sequence of str, optional
        Which couplings; default all. Those that were not trained only dilute the relative change.

    Returns
    -------
    LearningRegime

    Notes
    -----
    The measures of Liu et al. (2024): the Frobenius norm of the change of the weights, the
    alignments of `representation_alignment` and `kernel_alignment`, neither centred, and the share
    of equal signs of the activity.

    Examples
    --------
    >>> W = np.random.default_rng(0).standard_normal((5, 5))
    >>> found = learning_regime(W, 1.5 * W)
    >>> round(found.relative_weight_change, 12), found.kernel_alignment
    (0.5, None)
    """
    first, second = _weights(before, "before"), _weights(after, "after")
    _check_labels(first, second)
    chosen = _chosen(first, couplings)
    changes = {}
    for label in chosen:
        try:
            changes[label] = weight_change(first[label], second[label])
        except ValueError as error:
            raise ValueError(f"weights of {label}: {error}") from None
    total = float(np.sqrt(sum(c.change**2 for c in changes.values())))
    norm = float(np.sqrt(sum(c.norm_before**2 for c in changes.values())))
    alignment = similarity = kernel = None
    if representations is not None:
        H0, H1 = _two(representations, "representations")
        alignment = representation_alignment(H0, H1)
        H0, H1 = sample_unit(H0, "H0", 1), sample_unit(H1, "H1", 1)
        if H0.shape == H1.shape:
            similarity = sign_similarity(H0, H1)
    if kernels is not None:
        kernel = kernel_alignment(*_two(kernels, "kernels"))
    return LearningRegime(
        changes, total, total / norm if norm else (np.inf if total else 0.0), alignment, similarity,
        kernel, () if total else ("no weight has changed: a network that has not learned looks "
                                  "perfectly lazy",),
    )


def _weights(source: Any, name: str) -> dict[str, Any]:
    """Matrices by label of a network, a mapping or one array."""
    from neurodyn.network import Network

    if isinstance(source, Network):
        if not source.couplings:
            raise ValueError(f"`{name}` is a network without couplings: it has no weights")
        labels = source.coupling_labels
        return {label: c.weights for label, c in zip(labels, source.couplings, strict=True)}
    if isinstance(source, Mapping):
        if not source:
            raise ValueError(f"`{name}` has no weights")
        return dict(source)
    return {"W": source}


def _check_labels(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    for one, other, name, whose in ((first, second, "after", "before"),
                                    (second, first, "before", "after")):
        missing = [label for label in one if label not in other]
        if missing:
            raise ValueError(
                f"`{name}` has no weights {missing[0]!r}, which `{whose}` has: both must be the "
                f"same network; `{name}` has {', '.join(map(repr, other))}"
            )


def _chosen(weights: Mapping[str, Any], couplings: Any) -> list[str]:
    if couplings is None:
        return list(weights)
    names = [couplings] if isinstance(couplings, str) else list(couplings)
    for name in names:
        if name not in weights:
            from difflib import get_close_matches

            close = get_close_matches(str(name), weights, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {list(weights)}"
            raise ValueError(f"`couplings`: {name!r} is unknown; {hint}")
    if not names:
        raise ValueError("`couplings` is empty")
    return names


def _two(pair: Any, name: str) -> tuple[Any, Any]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ValueError(f"`{name}` must be a pair, (before, after); got {type(pair).__name__}")
    return pair[0], pair[1]
