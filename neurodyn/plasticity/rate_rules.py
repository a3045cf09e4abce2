"""Rules of the literature for synapses between units with rates.

Each function returns a `Plasticity` of the form ``dw/dt = ...``, in which ``x`` stands for the
activity of the presynaptic unit and ``y`` for that of the postsynaptic one: the variables of the
two populations that `pre` and `post` name. They may be states, algebraic variables or inputs, so
that the rules serve couplings of spikes too where units keep a trace of their own spikes. Weights
move at every step by the activities at its beginning. Plain numbers are in SI; `eta`, a learning
rate, has the unit that makes ``dw/dt`` fit.
"""

from __future__ import annotations

from typing import Any

from neurodyn.plasticity.rule import Plasticity
from neurodyn.units import DIMENSIONLESS, Dimension, to_si

Bounds = tuple[Any, Any] | None


def hebb(
    *, eta: Any, decay: Any = 0.0, pre: str = "r", post: str = "r", bounds: Bounds = None
) -> Plasticity:
    r"""Hebb's rule with decay, dw/dt = eta x y - decay w.

    Parameters
    ----------
    eta : float, array_like or Quantity
        Learning rate.
    decay : float, array_like or Quantity
        Rate at which weights decay, 1/s. Without it, or bounds, they grow without limit.
    pre, post : str
        Names of the activities in the pre- and the postsynaptic population.
    bounds : (float, float), optional
        Smallest and largest weight.

    References
    ----------
    Hebb (1949), The Organization of Behavior.
    Gerstner & Kistler (2002), Biol Cybern 87:404, for the form.
    """
    x, y = _activities(pre, post)
    return Plasticity(f"dw/dt = eta*{x}*{y} - decay*w", bounds=bounds, eta=eta, decay=decay)


def anti_hebb(
    *, eta: Any, p: Any = 0.0, pre: str = "r", post: str = "r", bounds: Bounds = (None, 0.0)
) -> Plasticity:
    r"""The anti-Hebbian rule, dw/dt = -eta (x y - p**2), which decorrelates units.

    Parameters
    ----------
    eta : float, array_like or Quantity
        Learning rate.
    p : float or Quantity
        Activity that units with no correlation would have: synapses rest where the mean of x y is
        p**2 (Földiák 1990, for binary units that are active with probability p). With the default,
        0, where the activities, of mean 0, are not correlated (Földiák 1989).
    pre, post : str
        Names of the activities in the pre- and the postsynaptic population.
    bounds : (float, float), optional
        Smallest and largest weight; by default lateral weights are inhibitory, not above 0. None
        for activities of both signs.

    Notes
    -----
    Földiák has no synapses from a unit to itself: use sparse weights without a diagonal.

    References
    ----------
    Földiák (1989), Proc IJCNN 1:401. Földiák (1990), Biol Cybern 64:165.
    """
    x, y = _activities(pre, post)
    return Plasticity(f"dw/dt = -eta*({x}*{y} - p**2)", bounds=bounds, eta=eta, p=p)


def oja(*, eta: Any, pre: str = "r", post: str = "r", bounds: Bounds = None) -> Plasticity:
    r"""Oja's rule, dw/dt = eta y (x - y w).

    For a linear unit, y = sum of w x, the weights onto it turn to the principal eigenvector of the
    inputs' correlations <x x'> and to length 1. Several units with the same inputs all learn that
    same one.

    Parameters
    ----------
    eta : float, array_like or Quantity
        Learning rate.
    pre, post : str
        Names of the activities in the pre- and the postsynaptic population.
    bounds : (float, float), optional
        Smallest and largest weight.

    References
    ----------
    Oja (1982), J Math Biol 15:267.
    """
    x, y = _activities(pre, post)
    return Plasticity(f"dw/dt = eta*{y}*({x} - {y}*w)", bounds=bounds, eta=eta)


def oja_subspace(
    *,
    eta: Any,
    tau_average: Any = None,
    largest: Any = None,
    pre: str = "r",
    post: str = "r",
    bounds: Bounds = None,
) -> Plasticity:
    r"""Oja's subspace rule, dw_ij/dt = eta y_i (x_j - sum over k of w_kj y_k).

    For linear units, y = W x, the rows of W become an orthonormal basis of the principal subspace
    of the inputs' correlations, though not of the eigenvectors themselves.

    Parameters
    ----------
    eta : float, array_like or Quantity
        Learning rate. A unit all of whose synapses have 0 is frozen: others learn what it leaves.
    tau_average : float or Quantity, optional
        Weights follow a running average of the changes, of this time constant, s: ``dw/dt = eta p``
        with ``tau_average dp/dt = -p + y_i (x_j - ...)``. Default none. For activities without a
        unit.
    largest : float, optional
        Changes ``y_i (x_j - ...)`` are cut to plus or minus this. For activities without a unit.
    pre, post : str
        Names of the activities in the pre- and the postsynaptic population.
    bounds : (float, float), optional
        Smallest and largest weight.

    Notes
    -----
    The sum is over the synapses of the presynaptic unit: with sparse weights, over those there are.
    It is what lateral units send back if the same weights serve both ways. With average and cut it
    is the rule of Xiao et al. for one pattern at a time; `neurodyn.learning.HebbianSubspace` is
    that for batches.

    References
    ----------
    Karhunen & Oja (1982), Proc 6th ICPR, 53. Oja (1989), Int J Neural Syst 1:61.
    Williams (1985), ICS Report 8501, University of California San Diego.
    Xiao, Meng, Zhang, He & Lin (2024), ICLR, for averaged changes.
    """
    x, y = _activities(pre, post)
    change = f"{y}*({x} - sum_post(w*{y}))"
    values = {"eta": eta}
    if largest is not None:
        change = f"clip({change}, -largest, largest)"
        values["largest"] = largest
    if tau_average is None:
        return Plasticity(f"dw/dt = eta*{change}", bounds=bounds, **values)
    return Plasticity(
        f"dp/dt = ({change} - p)/tau_average : 1\ndw/dt = eta*p",
        bounds=bounds,
        tau_average=tau_average,
        **values,
    )


def bcm(
    *,
    eta: Any,
    tau_theta: Any,
    y_0: Any = 1.0,
    normalised: bool = False,
    pre: str = "r",
    post: str = "r",
    bounds: Bounds = None,
) -> Plasticity:
    r"""The rule of Bienenstock, Cooper & Munro with a sliding threshold.

    .. math::
        dw/dt = \eta\, x\, y\,(y - \theta), \qquad d\theta/dt = (y^2/y_0 - \theta)/\tau_\theta

    Activity above the threshold strengthens active synapses, below it weakens them. The threshold
    follows the mean square of the activity, and the unit becomes selective: it responds to few of
    its inputs.

    Parameters
    ----------
    eta : float, array_like or Quantity
        Learning rate.
    tau_theta : float or Quantity
        Time constant of the threshold, s: long against the time that inputs last, and short against
        learning.
    y_0 : float or Quantity
        Scale of the activity, with its unit.
    normalised : bool
        Divide dw/dt by theta, as Law & Cooper (1994) do against oscillations of the threshold;
        theta then begins at y_0 in place of 0, and `eta` has another unit.
    pre, post : str
        Names of the activities in the pre- and the postsynaptic population.
    bounds : (float, float), optional
        Smallest and largest weight.

    Notes
    -----
    The mean square is that of Intrator & Cooper (1992), who derive the rule from an objective
    function; Bienenstock, Cooper & Munro (1982) have another power of the mean. The threshold is a
    state of the postsynaptic population, ``"P.theta_post"``.

    References
    ----------
    Bienenstock, Cooper & Munro (1982), J Neurosci 2:32.
    Intrator & Cooper (1992), Neural Networks 5:3.
    Law & Cooper (1994), PNAS 91:7797.
    """
    x, y = _activities(pre, post)
    over, begin = ("/theta_post", {"theta_post": y_0}) if normalised else ("", {})
    return Plasticity(
        f"dtheta_post/dt = ({y}**2/y_0 - theta_post)/tau_theta : {_unit_of(y_0, 'y_0')}\n"
        f"dw/dt = eta*{x}*{y}*({y} - theta_post){over}",
        bounds=bounds,
        eta=eta,
        tau_theta=tau_theta,
        y_0=y_0,
        **begin,
    )


def synaptic_scaling(
    *,
    goal: Any,
    beta: Any = 4e-5,
    gamma: Any = 1e-7,
    tau_a: Any = 100.0,
    post: str | None = None,
    bounds: Bounds = (0.0, None),
) -> Plasticity:
    r"""Multiplicative scaling of all synapses of a unit, until its activity is the goal.

    .. math::
        dw/dt = \beta\, w\,(a_{goal} - a) + \gamma\, w \int_0^t (a_{goal} - a(t'))\,dt'

    where a is a slow sensor of the postsynaptic activity y, or of the rate of its spikes,
    ``tau_a da/dt = -a + y``. All weights onto a unit change by the same factor, so that none of
    their ratios change. The integral removes the error that would remain where other rules pull the
    activity away from its goal.

    Parameters
    ----------
    goal : float or Quantity
        Goal of the activity, with its unit; Hz for spikes.
    beta : float or Quantity
        Speed, 1/s for each unit of activity.
    gamma : float or Quantity
        Speed of the integral, 1/s**2 for each unit of activity; 0 leaves the integral out.
    tau_a : float or Quantity
        Time constant of the sensor, s.
    post : str, optional
        Name of the activity in the postsynaptic population. Default None: its spikes, each of which
        adds 1/tau_a to the sensor, in Hz.
    bounds : (float, float), optional
        Smallest and largest weight.

    Notes
    -----
    The sensor begins at the goal in place of 0. Every weight is updated in every step. Defaults are
    those of van Rossum et al., for rates in Hz: hours of model time. The same k times as fast has
    ``k*beta``, ``k**2*gamma`` and ``tau_a/k``.

    References
    ----------
    Van Rossum, Bi & Turrigiano (2000), J Neurosci 20:8812, eq. 3.
    Turrigiano, Leslie, Desai, Rutherford & Nelson (1998), Nature 391:892.
    """
    has_integral = _is_positive(gamma)
    integral = " + gamma*w*error_post" if has_integral else ""
    values = {"goal": goal, "beta": beta, "tau_a": tau_a, "a_post": goal}
    if has_integral:
        values["gamma"] = gamma
    if post is None:
        unit, dim = "hertz", (0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0)
        sensor, on_post = "-a_post/tau_a", "a_post += 1/tau_a"
    else:
        dim = to_si(goal, "goal").dim or DIMENSIONLESS
        unit = _unit_text(dim)
        sensor, on_post = f"({_named(post, 'post')}_post - a_post)/tau_a", ""
    lines = [f"da_post/dt = {sensor} : {unit}"]
    if has_integral:
        times_second = (*dim[:2], dim[2] + 1.0, *dim[3:])
        lines.append(f"derror_post/dt = goal - a_post : {_unit_text(times_second)}")
    lines.append(f"dw/dt = beta*w*(goal - a_post){integral}")
    return Plasticity("\n".join(lines), on_post=on_post, bounds=bounds, **values)


# -- small helpers -----------------------------------------------------------------------------


def _named(name: str, argument: str) -> str:
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(
            f'`{argument}` must be the name of a variable such as "r", without its population; got '
            f"{name!r}"
        )
    return name


def _activities(pre: str, post: str) -> tuple[str, str]:
    return f"{_named(pre, 'pre')}_pre", f"{_named(post, 'post')}_post"


def _is_positive(gamma: Any) -> bool:
    value = to_si(gamma, "gamma").value
    if not isinstance(value, float) or not 0 <= value < float("inf"):
        raise ValueError(f"`gamma` must be one number that is not negative; got {gamma!r}")
    return value > 0


def _unit_of(value: Any, name: str) -> str:
    return _unit_text(to_si(value, name).dim or DIMENSIONLESS)


def _unit_text(dim: Dimension) -> str:
    """A dimension as equations spell it, without Brian2."""
    names = ("metre", "kilogram", "second", "amp", "kelvin", "mole", "candle")
    parts = [f"{n}**{e:g}" for n, e in zip(names, dim, strict=True) if e]
    return "*".join(parts) or "1"
