"""How far what a rule finds points away from the gradient."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodyn.learning.gradients import Gradients


def gradient_angle(found, reference) -> dict[str, float]:
    """Angle between two sets of gradients, in degrees.

    Parameters
    ----------
    found, reference : Gradients or dict of str to array_like
        Of the same names and shapes, such as what `find_gradients` and `bptt` return.

    Returns
    -------
    dict of str to float
        From 0 to 180 by name, and of all together as ``"all"``; NaN where one of the two is 0
        throughout and has no direction. Below 90 a small step along `found` makes the loss less.

    Raises
    ------
    ValueError
        If names or shapes differ, or a number is not finite.

    Examples
    --------
    >>> from neurodyn.learning import gradient_angle
    >>> gradient_angle({"E.b": [1.0, 0.0]}, {"E.b": [2.0, 2.0]})["E.b"]
    45.0
    """
    ours, theirs = _arrays(found, "found"), _arrays(reference, "reference")
    if ours.keys() != theirs.keys():
        raise ValueError(
            f"`found` has gradients of {', '.join(ours)}, and `reference` of {', '.join(theirs)}"
        )
    for name, array in ours.items():
        if array.shape != theirs[name].shape:
            raise ValueError(
                f"`found[{name!r}]` has shape {array.shape}, and `reference[{name!r}]` "
                f"{theirs[name].shape}"
            )
    angles = {name: _angle(array.ravel(), theirs[name].ravel()) for name, array in ours.items()}
    together = [np.concatenate([a.ravel() for a in x.values()]) for x in (ours, theirs)]
    return {**angles, "all": _angle(*together)}


def _arrays(given, name: str) -> dict[str, np.ndarray]:
    gradients = given.gradients if isinstance(given, Gradients) else given
    if not isinstance(gradients, Mapping) or not gradients:
        raise TypeError(f"`{name}` must be Gradients, or a dict of arrays; got {given!r:.60}")
    found = {key: np.asarray(value, dtype=float) for key, value in gradients.items()}
    for key, array in found.items():
        if not np.isfinite(array).all():
            raise ValueError(f"`{name}[{key!r}]` is not finite")
    return found


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if not all(lengths):
        return float("nan")
    a, b = a / lengths[0], b / lengths[1]
    # accurate for small angles, unlike the arc cosine of the product
    angle = 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    return float(np.degrees(angle))
