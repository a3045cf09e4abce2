"""Rules that learn from fluctuations, or that a third factor gates: covariance, reward.

As in `neurodyn.plasticity.rate_rules`, ``x`` stands for the activity of the presynaptic unit and
``y`` for that of the postsynaptic one. Means of activities are traces of their units, which follow
them with a time constant; by `Euler` that is the running average ``mean += dt/tau (x - mean)``.
"""

from __future__ import annotations

from typing import Any

from neurodyn.plasticity.rate_rules import Bounds, _activities, _named, _unit_of
from neurodyn.plasticity.rule import Plasticity


def covariance_rule(
    *,
    eta: Any,
    tau_mean: Any,
    mean_pre: Any = 0.0,
    mean_post: Any = 0.0,
    pre: str = "r",
    post: str = "r",
    bounds: Bounds = None,
) -> Plasticity:
    r"""The covariance rule, dw/dt = eta (x - <x>)(y - <y>).

    Weights change in proportion to the covariance of both activities: they stay where activities
    are independent, whatever their means.

    Parameters
    ----------
    eta : float, array_like or Quantity
        Learning rate.
    tau_mean : float or Quantity
        Time constant of both running means, s: long against the fluctuations.
    mean_pre, mean_post : float or Quantity
        Where the means begin, with the units of the activities.
    pre, post : str
        Names of the activities in the pre- and the postsynaptic population.
    bounds : (float, float), optional
        Smallest and largest weight; without them weights onto linear units grow without limit.

    Notes
    -----
    Means are the states ``x_mean_pre`` and ``y_mean_post`` of the two populations.

    References
    ----------
    Sejnowski (1977), J Math Biol 4:303.
    Dayan & Abbott (2001), Theoretical Neuroscience, section 8.2.
    """
    x, y = _activities(pre, post)
    return Plasticity(
        f"dx_mean_pre/dt = ({x} - x_mean_pre)/tau_mean : {_unit_of(mean_pre, 'mean_pre')}\n"
        f"dy_mean_post/dt = ({y} - y_mean_post)/tau_mean : {_unit_of(mean_post, 'mean_post')}\n"
        f"dw/dt = eta*({x} - x_mean_pre)*({y} - y_mean_post)",
        bounds=bounds,
        eta=eta,
        tau_mean=tau_mean,
        x_mean_pre=mean_pre,
        y_mean_post=mean_post,
    )


def three_factor(
    *,
    eta: Any,
    tau_c: Any,
    modulator: str = "modulator",
    tau_mean: Any = None,
    eligibility: Any = 0.0,
    mean_post: Any = 0.0,
    pre: str = "r",
    post: str = "r",
    bounds: Bounds = None,
) -> Plasticity:
    r"""A three-factor rule: coincidences leave a trace, which a neuromodulator turns into weights.

    .. math::
        \tau_c\, dc/dt = -c + x\,(y - \bar y), \qquad dw/dt = \eta\, m\, c

    The eligibility c of a synapse remembers for some time that it was active together with its
    unit; the weight changes when, and if, the neuromodulator m comes.

    Parameters
    ----------
    eta : float, array_like or Quantity
        Learning rate.
    tau_c : float or Quantity
        Time constant of the eligibility, s.
    modulator : str
        Name of a variable of the postsynaptic population: an input that a signal or a coupling
        drives (``inputs={"P.modulator": ...}``), or a state. May be negative.
    tau_mean : float or Quantity, optional
        Time constant of the running mean of y, s. Default None: no mean is taken off.
    eligibility, mean_post : float or Quantity
        Where both begin, with the units of x y and of y.
    pre, post : str
        Names of the activities in the pre- and the postsynaptic population.
    bounds : (float, float), optional
        Smallest and largest weight.

    References
    ----------
    Frémaux & Gerstner (2016), Front Neural Circuits 9:85.
    Gerstner, Lehmann, Liakoni, Corneil & Brea (2018), Front Neural Circuits 12:53.
    """
    x, y = _activities(pre, post)
    m = f"{_named(modulator, 'modulator')}_post"
    lines, values = [], {"eta": eta, "tau_c": tau_c, "c": eligibility}
    if tau_mean is not None:
        unit = _unit_of(mean_post, "mean_post")
        lines.append(f"dy_mean_post/dt = ({y} - y_mean_post)/tau_mean : {unit}")
        values |= {"tau_mean": tau_mean, "y_mean_post": mean_post}
        y = f"({y} - y_mean_post)"
    lines.append(f"dc/dt = ({x}*{y} - c)/tau_c : {_unit_of(eligibility, 'eligibility')}")
    return Plasticity("\n".join([*lines, f"dw/dt = eta*{m}*c"]), bounds=bounds, **values)


def exploratory_hebb(
    *,
    eta: Any,
    tau_mean: Any,
    tau_performance: Any = None,
    performance: str = "performance",
    graded: bool = False,
    tau_eta: Any = None,
    pre: str = "r",
    post: str = "z",
    bounds: Bounds = None,
) -> Plasticity:
    r"""Reward-modulated Hebbian learning from exploration: the exploratory Hebb rule.

    .. math::
        dw/dt = \eta\, x\,(y - \bar y)\,M, \qquad M = 1 \text{ where } P > \bar P, \text{ else } 0

    The unit explores by noise in y; what it does beyond its running mean is learned if the
    performance P is above its own running mean. Both means are filters by their time constants.

    Parameters
    ----------
    eta : float, array_like or Quantity
        Learning rate.
    tau_mean, tau_performance : float or Quantity
        Time constants of the running means of y and of P, s; the second is the first by default.
    performance : str
        Name of P in the postsynaptic population, without a unit: a variable, or an input that a
        coupling fills.
    graded : bool
        ``M = P - <P>``, the rule of Legenstein et al., in place of 0 and 1.
    tau_eta : float or Quantity, optional
        The learning rate falls as ``eta/(1 + t/tau_eta)``, s. Default None: it is constant.
    pre, post : str
        Names of the activities in the pre- and the postsynaptic population.
    bounds : (float, float), optional
        Smallest and largest weight.

    Notes
    -----
    Hoerzer et al. learn with 0.0005 a step of 1 ms, here ``eta=0.5`` in 1/s, falling with
    ``tau_eta=20``, and filter both means with 0.8 and 0.2 a step: ``tau_mean=5*nd.ms`` by `Euler`.

    References
    ----------
    Legenstein, Chase, Schwartz & Maass (2010), J Neurosci 30:8400.
    Hoerzer, Legenstein & Maass (2014), Cereb Cortex 24:677.
    """
    x, y = _activities(pre, post)
    p = f"{_named(performance, 'performance')}_post"
    gate = f"({p} - p_mean_post)" if graded else f"int({p} > p_mean_post)"
    rate, values = "eta", {"eta": eta, "tau_mean": tau_mean}
    values["tau_performance"] = tau_mean if tau_performance is None else tau_performance
    if tau_eta is not None:
        rate, values["tau_eta"] = "eta/(1 + t/tau_eta)", tau_eta
    return Plasticity(
        f"dy_mean_post/dt = ({y} - y_mean_post)/tau_mean : 1\n"
        f"dp_mean_post/dt = ({p} - p_mean_post)/tau_performance : 1\n"
        f"dw/dt = {rate}*{x}*({y} - y_mean_post)*{gate}",
        bounds=bounds,
        **values,
    )
