"""What is claimed of optimal gains, and how each statement is measured on our run.

Of the paper only the abstract was at hand, which states effects and no numbers. Sources:
``[abstract]`` its abstract; ``[Benucci]`` the abstract of the recordings that it explains;
``[derived]`` algebra; ``INDEPENDENT``, numbers of an independent re-implementation of the same
formulation, which is ours and not the paper's (see the circuit's docstring). How strong an effect
must be to count, and all tolerances, were fixed before the experiments were run; where nothing was
fixed, any effect of the right sign counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from neurodyn.experiments import Claim, at_least, at_most, between, within
from neurodyn.experiments.claims import Accept

if TYPE_CHECKING:
    import xarray as xr

ABSTRACT = "[abstract]"
BENUCCI = "[Benucci] population homeostasis"
DERIVED = "[derived]"
INDEPENDENT = "independent re-implementation"

REFERENCE = "reference"


def near(value: float) -> Accept:
    """Within 2 % or 0.01, whichever is more."""
    if 0.02 * abs(value) > 0.01:
        return within(value, relative=0.02)
    return within(value, absolute=0.01)


def at(name: str, degrees: float, condition: str = REFERENCE) -> Callable:
    """Measure: a variable at the neuron of this preferred orientation."""

    def measure(ds: xr.Dataset) -> float:
        return float(ds[name].sel(condition=condition, neuron=degrees))

    return measure


def case(name: str, which: str, condition: str = REFERENCE) -> Callable:
    """Measure: a variable over control, without and with adaptation."""

    def measure(ds: xr.Dataset) -> float:
        return float(ds[name].sel(condition=condition, case=which))

    return measure


def left(name: str, condition: str = REFERENCE) -> Callable:
    """Measure: a variable with adaptation, over without."""

    def measure(ds: xr.Dataset) -> float:
        return case(name, "with", condition)(ds) / case(name, "without", condition)(ds)

    return measure


def largest_repulsion(condition: str = REFERENCE) -> Callable:
    """Measure: the largest shift away from the adapter, deg."""

    def measure(ds: xr.Dataset) -> float:
        return float(ds.repulsion.sel(condition=condition).max())

    return measure


def least_repulsion(condition: str = REFERENCE) -> Callable:
    """Measure: the least one among neurons that prefer orientations 3 to 45 deg away."""

    def measure(ds: xr.Dataset) -> float:
        away = np.abs(ds.neuron)
        shift = ds.repulsion.sel(condition=condition)
        return float(shift.where((away >= 3) & (away <= 45)).min())

    return measure


def most_repelled(condition: str = REFERENCE) -> Callable:
    """Measure: distance from the adapter of the neuron whose peak moves most, deg."""

    def measure(ds: xr.Dataset) -> float:
        shift = ds.repulsion.sel(condition=condition)
        return float(np.abs(ds.neuron.values[int(np.argmax(shift.values))]))

    return measure


# ------------------------------------------------------------------------------- effects


def _effects() -> list[Claim]:
    """The effects of the abstract, with the model as it is and with another decoder."""
    experiment, claims = "adaptation", []
    for condition in (REFERENCE, "ridge decoder"):
        claims += [
            Claim(
                f"{condition}: largest response of the neuron at the adapter, over the control's",
                f"{ABSTRACT} maxima fall",
                "< 1",
                at_most(0.8),
                at("max_ratio", 0, condition),
                experiment,
            ),
            Claim(
                f"{condition}: the same of the neuron at 90 deg",
                f"{ABSTRACT} tuning-dependent",
                "> 1",
                at_least(1.0),
                at("max_ratio", -90, condition),
                experiment,
            ),
            Claim(
                f"{condition}: least repulsion of neurons 3 to 45 deg away, deg",
                f"{ABSTRACT} tuning is repelled",
                ">= 0",
                at_least(-0.05),
                least_repulsion(condition),
                experiment,
            ),
            Claim(
                f"{condition}: largest repulsion, deg",
                f"{ABSTRACT} tuning is repelled",
                "> 0",
                between(2, 5),
                largest_repulsion(condition),
                experiment,
            ),
            Claim(
                f"{condition}: distance from the adapter of the neuron repelled most, deg",
                INDEPENDENT,
                12,
                between(9, 24),
                most_repelled(condition),
                experiment,
            ),
            Claim(
                f"{condition}: change of the smallest response at the adapter, over the height "
                "of the curve",
                f"{ABSTRACT} minima fall",
                "< 0",
                at_most(-0.02),
                at("min_change", 0, condition),
                experiment,
            ),
            Claim(
                f"{condition}: CV of mean responses with adaptation, over without",
                BENUCCI,
                "mean responses stay equal",
                at_most(0.5),
                left("cv", condition),
                experiment,
            ),
            Claim(
                f"{condition}: distance of the covariance from the control's with adaptation, "
                "over without",
                f"{ABSTRACT} decorrelation; {BENUCCI}",
                "< 1",
                at_most(0.5),
                left("covariance_distance", condition),
                experiment,
            ),
            Claim(
                f"{condition}: distance of the correlations from the control's with adaptation, "
                "over without",
                f"{ABSTRACT} decorrelation",
                "< 1",
                at_most(1),
                left("correlation_distance", condition),
                experiment,
            ),
            Claim(
                f"{condition}: mean correlation of neurons near the adapter, with minus without",
                f"{ABSTRACT} decorrelation",
                "< 0",
                at_most(0),
                lambda ds, c=condition: (
                    case("near_correlation", "with", c)(ds)
                    - case("near_correlation", "without", c)(ds)
                ),
                experiment,
            ),
        ]
    return claims


def _numbers() -> list[Claim]:
    """The model as it is, number by number."""
    experiment, claims = "adaptation", []
    table = (
        (
            "gain_ratio",
            "gain over the control's",
            (0, 0.552),
            (12, 0.727),
            (-12, 0.727),
            (24, 1.062),
            (-24, 1.062),
            (45, 1.176),
            (-45, 1.176),
            (-90, 1.165),
        ),
        (
            "max_ratio",
            "largest response over the control's",
            (0, 0.644),
            (24, 1.020),
            (-24, 1.020),
            (45, 1.166),
            (-45, 1.166),
            (-90, 1.164),
        ),
        (
            "min_change",
            "change of the smallest response",
            (0, -0.046),
            (24, -0.046),
            (-24, -0.046),
            (45, -0.042),
            (-45, -0.042),
            (-90, 0.075),
        ),
    )
    for name, words, *rows in table:
        claims += [
            Claim(
                f"{words}, neuron at {abs(degrees) if degrees == -90 else degrees} deg",
                INDEPENDENT,
                number,
                near(number),
                at(name, degrees),
                experiment,
            )
            for degrees, number in rows
        ]
    for degrees, number in ((0, 0.0), (45, 0.15), (-45, 0.15)):
        claims.append(
            Claim(
                f"repulsion, neuron at {degrees} deg, deg",
                INDEPENDENT,
                number,
                within(number, absolute=0.1),
                at("repulsion", degrees),
                experiment,
            )
        )
    for name, words, numbers in (
        ("cv", "CV of mean responses", (0.844, 0.277)),
        ("covariance_distance", "distance of the covariance from the control's", (0.190, 0.068)),
        ("activity", "mean activity over the control's", (1.000, 0.988)),
    ):
        claims += [
            Claim(
                f"{words}, {which} adaptation",
                INDEPENDENT,
                number,
                near(number),
                case(name, which),
                experiment,
            )
            for which, number in zip(("without", "with"), numbers)
        ]
    claims += [
        Claim(
            "largest repulsion, deg",
            INDEPENDENT,
            3.15,
            within(3.15, absolute=0.1),
            largest_repulsion(),
            experiment,
        ),
        Claim(
            "distance from the adapter of the neuron repelled most, deg",
            INDEPENDENT,
            12,
            within(12, absolute=0),
            most_repelled(),
            experiment,
        ),
        Claim(
            "spectral radius of W",
            INDEPENDENT,
            0.8203,
            within(0.8203, absolute=5e-5),
            lambda ds: float(ds.spectral_radius.sel(condition=REFERENCE)),
            experiment,
        ),
        Claim(
            "gain in the control",
            INDEPENDENT,
            0.3338,
            within(0.3338, relative=0.02),
            lambda ds: float(_gain(ds, "control").mean()),
            experiment,
        ),
        Claim(
            "spread of the gains in the control",
            DERIVED,
            0,
            at_most(1e-13),
            lambda ds: float(np.ptp(_gain(ds, "control"))),
            experiment,
            note="rounding",
        ),
        Claim(
            "largest difference of adapted gains on the two sides of the adapter",
            DERIVED,
            0,
            at_most(1e-12),
            lambda ds: float(
                np.abs(
                    np.diff([_gain(ds, "adapted")[1:], _gain(ds, "adapted")[:0:-1]], axis=0)
                ).max()
            ),
            experiment,
            note="rounding",
        ),
    ]
    for context, number in (("control", 45.708), ("adapted", 44.705)):
        claims.append(
            Claim(
                f"objective in the biased ensemble, gains of the {context} state",
                INDEPENDENT,
                number,
                within(number, absolute=5e-4),
                lambda ds, c=context: float(
                    ds.objective.sel(condition=REFERENCE, context=c, ensemble="biased")
                ),
                experiment,
            )
        )
    return claims


def _gain(ds: xr.Dataset, context: str, condition: str = REFERENCE) -> np.ndarray:
    return ds.gain.sel(condition=condition, context=context).values


# ------------------------------------------------------------------------------ variants


def _variants() -> list[Claim]:
    experiment, claims = "adaptation", []
    half, none, excited = "half the penalty", "no recurrence", "excitation only"
    for condition, degrees, number in (
        (half, 0, 0.662),
        (none, 0, 0.911),
        (none, -90, 1.024),
        ("hardly any anchor", 0, 1.33),
    ):
        claims.append(
            Claim(
                f"{condition}: gain over the control's, neuron at {abs(degrees)} deg",
                INDEPENDENT,
                number,
                near(number),
                at("gain_ratio", degrees, condition),
                experiment,
            )
        )
    for condition, number in ((half, 2.13), (excited, 3.12)):
        claims.append(
            Claim(
                f"{condition}: largest repulsion, deg",
                INDEPENDENT,
                number,
                within(number, absolute=0.1),
                largest_repulsion(condition),
                experiment,
            )
        )
    for condition, name, which, number in (
        (half, "cv", "with", 0.407),
        (half, "covariance_distance", "with", 0.068),
        (excited, "cv", "without", 0.193),
        (excited, "cv", "with", 0.067),
        (excited, "covariance_distance", "without", 0.211),
        (excited, "covariance_distance", "with", 0.266),
    ):
        words = {
            "cv": "CV of mean responses",
            "covariance_distance": "distance of the covariance from the control's",
        }[name]
        claims.append(
            Claim(
                f"{condition}: {words}, {which} adaptation",
                INDEPENDENT,
                number,
                near(number),
                case(name, which, condition),
                experiment,
            )
        )
    claims += [
        Claim(
            f"{excited}: change of the smallest response, neuron at 0 deg",
            INDEPENDENT,
            0.011,
            between(0.001, 0.021),
            at("min_change", 0, excited),
            experiment,
            note="minima rise: it is broad inhibition that lowers them",
        ),
        Claim(
            f"{none}: largest shift of a peak, deg",
            f"{ABSTRACT} gains act through recurrent connections; {DERIVED}",
            0,
            at_most(0.03),
            lambda ds: float(np.abs(ds.repulsion.sel(condition=none)).max()),
            experiment,
        ),
        Claim(
            f"{none}: largest deviation of tuning curves from pure scaling by the gains",
            DERIVED,
            0,
            at_most(1e-13),
            _deviation_from_scaling,
            experiment,
            note="rounding",
        ),
        Claim(
            f"{none}: distance of the correlations from the control's with adaptation, over "
            "without",
            DERIVED,
            1,
            within(1, absolute=1e-12),
            left("correlation_distance", none),
            experiment,
            note="gains alone cannot decorrelate: a correlation does not depend on scale",
        ),
        Claim(
            "distance of the covariance from the control's with the best gains for that",
            f"{DERIVED} N gains, N (N + 1)/2 covariances",
            "> 0",
            at_least(1e-3),
            lambda ds: float(ds.closest_distance),
            experiment,
            note="a bound for every rule that changes gains only; found by L-BFGS",
        ),
        Claim(
            "simulated network: largest difference from the steady responses",
            DERIVED,
            0,
            at_most(1e-6),
            lambda ds: float(ds.simulation_error.max()),
            experiment,
        ),
    ]
    return claims


def _deviation_from_scaling(ds: xr.Dataset) -> float:
    one = ds.sel(condition="no recurrence")
    before, after = one.response.sel(context="control"), one.response.sel(context="adapted")
    return float(np.abs(after - one.gain_ratio * before).max())


ADAPTATION = (*_effects(), *_numbers(), *_variants())
