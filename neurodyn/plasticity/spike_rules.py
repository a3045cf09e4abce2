"""Rules of the literature for synapses between units that spike.

Each function returns a `Plasticity`, for a `Coupling` from ``"population.spike"`` with any weights
that have a number for every synapse. Times are those at which spikes arrive at the synapse: a
presynaptic spike after the coupling's delay, a postsynaptic one at once. ``dt = t_post - t_pre`` is
positive where the presynaptic spike came first; where both fall into one step, it did. Amplitudes
and rates are positive numbers, and the text has the signs; plain numbers are in SI.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodyn.plasticity.rule import Plasticity
from neurodyn.units import to_si

#: What a spike does to a trace: all earlier spikes count, or the last one only.
_INTERACTIONS = {"all-to-all": "+=", "nearest": "="}


def pair_stdp(
    *,
    w_max: Any,
    A_plus: Any = 0.005,
    A_minus: Any = 0.00525,
    tau_plus: Any = 20e-3,
    tau_minus: Any = 20e-3,
    mu_plus: float = 0.0,
    mu_minus: float = 0.0,
    interactions: str = "all-to-all",
) -> Plasticity:
    r"""Spike-timing-dependent plasticity of pairs of spikes.

    A pair of spikes changes the weight, which stays in [0, w_max], by

    .. math::
        \Delta w = \begin{cases}
            A_+ w_{max} (1 - w/w_{max})^{\mu_+} e^{-dt/\tau_+} & dt \ge 0 \\
            -A_- w_{max} (w/w_{max})^{\mu_-} e^{dt/\tau_-} & dt < 0
        \end{cases}

    Parameters
    ----------
    w_max : float or Quantity
        Largest weight, in the unit of the weights.
    A_plus, A_minus : float or array_like
        Potentiation and depression by one pair, relative to `w_max`; one number or one a synapse.
    tau_plus, tau_minus : float or Quantity
        Time constants of the two branches, s.
    mu_plus, mu_minus : float
        How the changes depend on the weight:

        ========= ========== ==================================================
        `mu_plus` `mu_minus` rule
        ========= ========== ==================================================
        0         0          additive (Song, Miller & Abbott 2000), the default
        0         1          van Rossum, Bi & Turrigiano (2000)
        1         1          multiplicative (Rubin, Lee & Sompolinsky 2001)
        mu        mu         Gütig et al. (2003), 0 <= mu <= 1
        ========= ========== ==================================================
    interactions : {"all-to-all", "nearest"}
        Which pairs count: all of them; or for every spike the last one of the other side, the
        symmetric nearest-neighbour scheme of Morrison, Diesmann & Gerstner (2008, Fig. 7A).

    Notes
    -----
    Amplitudes and time constants are those of Song et al. (2000). Gütig et al. write ``lambda``
    for `A_plus` and ``lambda*alpha`` for `A_minus`. Van Rossum et al. have noise on each change,
    and no largest weight: their ``c_p`` is ``A_plus*w_max``.

    References
    ----------
    Gütig, Aharonov, Rotter & Sompolinsky (2003), J Neurosci 23:3697.
    Morrison, Diesmann & Gerstner (2008), Biol Cybern 98:459.
    Rubin, Lee & Sompolinsky (2001), Phys Rev Lett 86:364.
    Song, Miller & Abbott (2000), Nat Neurosci 3:919.
    Van Rossum, Bi & Turrigiano (2000), J Neurosci 20:8812.

    Examples
    --------
    >>> import neurodyn as nd
    >>> nd.plasticity.pair_stdp(w_max=1*nd.nS, mu_minus=1).on_pre
    'w = w - A_minus*w_max*(w/w_max)*y_post; x_pre += 1'
    """
    sets = _spike(interactions)
    up, values_up = _power("1 - w/w_max", "mu_plus", mu_plus)
    down, values_down = _power("w/w_max", "mu_minus", mu_minus)
    return Plasticity(
        "dx_pre/dt = -x_pre/tau_plus : 1\ndy_post/dt = -y_post/tau_minus : 1",
        on_pre=f"w = w - A_minus*w_max*{down}y_post; x_pre {sets} 1",
        on_post=f"w = w + A_plus*w_max*{up}x_pre; y_post {sets} 1",
        bounds=(0.0, w_max),
        A_plus=A_plus,
        A_minus=A_minus,
        tau_plus=tau_plus,
        tau_minus=tau_minus,
        **values_up,
        **values_down,
    )


def _power(base: str, name: str, exponent: float) -> tuple[str, dict[str, float]]:
    """The factor ``base**exponent*`` and the value that it needs; nothing for an exponent of 0."""
    if not np.isscalar(exponent) or not 0 <= exponent < np.inf:
        raise ValueError(
            f"`{name}` must be a number that is not negative, 0 for additive and 1 for "
            f"multiplicative changes; got {exponent!r}"
        )
    if exponent == 0:
        return "", {}
    if exponent == 1:
        return f"({base})*", {}
    return f"relu({base})**{name}*", {name: float(exponent)}  # rounding may leave the bounds


def _spike(interactions: str) -> str:
    if interactions not in _INTERACTIONS:
        raise ValueError(
            f'`interactions` must be "all-to-all" or "nearest"; got {interactions!r}'
        )
    return _INTERACTIONS[interactions]


#: Fits of the triplet rule, by preparation, interactions and model: A2+, A3+, A2-, A3-, then tau_x
#: and tau_y in s. Pfister & Gerstner (2006), Tables 3 (visual cortex) and 4 (hippocampal culture).
TRIPLET_FITS: dict[tuple[str, str, str], tuple[float, ...]] = {
    ("visual_cortex", "all-to-all", "full"): (5e-10, 6.2e-3, 7e-3, 2.3e-4, 0.101, 0.125),
    ("visual_cortex", "all-to-all", "minimal"): (0.0, 6.5e-3, 7.1e-3, 0.0, np.nan, 0.114),
    ("visual_cortex", "nearest", "full"): (8.8e-11, 5.3e-2, 6.6e-3, 3.1e-3, 0.714, 0.040),
    ("visual_cortex", "nearest", "minimal"): (0.0, 5e-2, 8e-3, 0.0, np.nan, 0.040),
    ("hippocampus", "all-to-all", "full"): (6.1e-3, 6.7e-3, 1.6e-3, 1.4e-3, 0.946, 0.027),
    ("hippocampus", "all-to-all", "minimal"): (5.3e-3, 8e-3, 3.5e-3, 0.0, np.nan, 0.040),
    ("hippocampus", "nearest", "full"): (4.6e-3, 9.1e-3, 3e-3, 7.5e-9, 0.575, 0.047),
    ("hippocampus", "nearest", "minimal"): (4.6e-3, 9.1e-3, 3e-3, 0.0, np.nan, 0.048),
}
_TRIPLET_NAMES = ("A2_plus", "A3_plus", "A2_minus", "A3_minus", "tau_x", "tau_y")


def triplet_stdp(
    *,
    w_ref: Any,
    fit: str = "visual_cortex",
    model: str = "full",
    interactions: str = "all-to-all",
    bounds: tuple[Any, Any] = (0.0, None),
    **changed: Any,
) -> Plasticity:
    r"""Spike-timing-dependent plasticity of triplets of spikes (Pfister & Gerstner 2006).

    Presynaptic spikes drive the detectors r1 and r2, with time constants tau_plus and tau_x,
    postsynaptic ones o1 and o2, with tau_minus and tau_y. With a spike, before the detectors of its
    own side change,

    .. math::
        w \to w - w_{ref}\, o_1 (A_2^- + A_3^- r_2) \quad\text{(presynaptic, eq. 3)} \\
        w \to w + w_{ref}\, r_1 (A_2^+ + A_3^+ o_2) \quad\text{(postsynaptic, eq. 4)}

    Parameters
    ----------
    w_ref : float or Quantity
        Weight to which the amplitudes are relative, in the unit of the weights: in the paper that
        before the experiment.
    fit : {"visual_cortex", "hippocampus"}
        Published parameters: Table 3, for data from visual cortex (Sjöström et al. 2001); Table 4,
        for hippocampal cultures (Bi & Poo 1998; Wang et al. 2005). Both have tau_plus = 16.8 ms and
        tau_minus = 33.7 ms. They are in ``nd.plasticity.TRIPLET_FITS``.
    model : {"full", "minimal"}
        The minimal model has no A3_minus, and in the fit to visual cortex no A2_plus.
    interactions : {"all-to-all", "nearest"}
        A spike adds 1 to its detectors, or sets them to 1. Each has its own fit.
    bounds : (float, float)
        Smallest and largest weight; the paper has none.
    **changed : float or Quantity
        Values in place of the fit's: ``A2_plus``, ``A3_plus``, ``A2_minus``, ``A3_minus``,
        ``tau_plus``, ``tau_minus``, ``tau_x``, ``tau_y``.

    Notes
    -----
    The paper puts some values of tau_x in parentheses, as the fit hardly depends on them (101 ms
    among them), and says that amplitudes such as 5e-10 mean 0. Without A3_minus there is no r2.

    References
    ----------
    Pfister & Gerstner (2006), J Neurosci 26:9673.
    """
    sets, key = _spike(interactions), (fit, interactions, model)
    if key not in TRIPLET_FITS:
        names = {"fit": ("visual_cortex", "hippocampus"), "model": ("full", "minimal")}
        name, got = ("fit", fit) if fit not in names["fit"] else ("model", model)
        raise ValueError(f"`{name}` must be one of {', '.join(names[name])}; got {got!r}")
    values = {"tau_plus": 16.8e-3, "tau_minus": 33.7e-3}
    values |= dict(zip(_TRIPLET_NAMES, TRIPLET_FITS[key], strict=True))
    if unknown := set(changed) - set(values):
        raise ValueError(
            f"the triplet rule has no value `{min(unknown)}`; it has {', '.join(values)}"
        )
    values |= changed
    lines = [
        "dr1_pre/dt = -r1_pre/tau_plus : 1",
        "do1_post/dt = -o1_post/tau_minus : 1",
        "do2_post/dt = -o2_post/tau_y : 1",
    ]
    on_pre = f"w = w - w_ref*o1_post*(A2_minus + A3_minus*r2_pre); r1_pre {sets} 1; r2_pre {sets} 1"
    if np.any(to_si(values["A3_minus"], "A3_minus").value):
        lines.append("dr2_pre/dt = -r2_pre/tau_x : 1")
        if np.isnan(to_si(values["tau_x"], "tau_x").value):
            raise ValueError("`A3_minus` needs a `tau_x`, which the minimal model does not have")
    else:
        on_pre = f"w = w - w_ref*o1_post*A2_minus; r1_pre {sets} 1"
        del values["A3_minus"], values["tau_x"]
    return Plasticity(
        "\n".join(lines),
        on_pre=on_pre,
        on_post=f"w = w + w_ref*r1_pre*(A2_plus + A3_plus*o2_post); o1_post {sets} 1; "
        f"o2_post {sets} 1",
        bounds=bounds,
        w_ref=w_ref,
        **values,
    )


def tsodyks_markram(
    target: str, *, U: float = 0.5, tau_rec: Any = 0.8, tau_facil: Any = None
) -> Plasticity:
    r"""Short-term depression and facilitation (Tsodyks & Markram 1997; Tsodyks et al. 1998).

    Of the resources of a synapse a fraction x is available, of which a spike uses the fraction u;
    the weights themselves stay as they are. Between spikes

    .. math::
        dx/dt = (1 - x)/\tau_{rec}, \qquad du/dt = -u/\tau_{facil}

    and when a spike arrives, in this order: u goes up by U (1 - u); the target gets w u x, with the
    new u and the old x; x goes down by u x. At the beginning x = 1 and u = 0, so that the first
    spike brings w U.

    Parameters
    ----------
    target : str
        Name of the variable at which the coupling ends, ``"g"`` for ``Coupling("E.spike", "I.g")``.
    U : float
        Fraction of the available resources that a first spike uses.
    tau_rec : float or Quantity
        Time constant of recovery, s.
    tau_facil : float or Quantity, optional
        Time constant of facilitation, s. Default None: no facilitation, u = U always.

    Notes
    -----
    The defaults are those of synapses between excitatory neurons in Tsodyks, Uziel & Markram
    (2000); from excitatory to inhibitory ones U = 0.04, tau_rec = 100 ms, tau_facil = 1 s.
    Used resources, which there are active for 3 ms, begin to recover at once, as in Markram, Wang &
    Tsodyks (1998); how long what has been delivered lasts is in the equation of `target`. For a
    regular train of interval T, with ``E = exp(-T/tau)``, the values with which the target is
    reached tend to ``u = U/(1 - (1 - U) E_facil)`` and ``x = (1 - E_rec)/(1 - (1 - u) E_rec)``.
    x and u belong to the presynaptic unit, once for each coupling with this rule: ``"E.x_pre"``.
    Mongillo et al. (2008) let u rest at U and not at 0.

    References
    ----------
    Markram, Wang & Tsodyks (1998), PNAS 95:5323.
    Mongillo, Barak & Tsodyks (2008), Science 319:1543.
    Tsodyks & Markram (1997), PNAS 94:719.
    Tsodyks, Pawelzik & Markram (1998), Neural Comput 10:821.
    Tsodyks, Uziel & Markram (2000), J Neurosci 20:RC50.
    """
    if not isinstance(target, str) or not target.isidentifier():
        raise ValueError(
            f'`target` must be the name of a variable such as "g", without its population; got '
            f"{target!r}"
        )
    if not np.isscalar(U) or not 0 < U <= 1:
        raise ValueError(f"`U` must be a fraction, above 0 and up to 1; got {U!r}")
    resources = "dx_pre/dt = (1 - x_pre)/tau_rec : 1"
    if tau_facil is None:
        return Plasticity(
            resources,
            on_pre=f"{target}_post += w*U*x_pre; x_pre -= U*x_pre",
            U=U, tau_rec=tau_rec, x_pre=1.0,
        )  # fmt: skip
    return Plasticity(
        f"{resources}\ndu_pre/dt = -u_pre/tau_facil : 1",
        on_pre=f"u_pre += U*(1 - u_pre); {target}_post += w*u_pre*x_pre; x_pre -= u_pre*x_pre",
        U=U, tau_rec=tau_rec, tau_facil=tau_facil, x_pre=1.0,
    )  # fmt: skip


def inhibitory_stdp(
    *,
    eta: Any,
    rho_0: Any = 5.0,
    tau_stdp: Any = 20e-3,
    bounds: tuple[Any, Any] = (0.0, None),
) -> Plasticity:
    r"""Plasticity of inhibition that brings postsynaptic units to a rate (Vogels et al. 2011).

    Near-coincident spikes, in either order, strengthen the synapse, and every presynaptic spike by
    itself weakens it. With traces x and y of both sides, of time constant tau_stdp,

    .. math::
        w \to w + \eta\,(y - 2 \rho_0 \tau_{stdp}) \quad\text{(presynaptic spike)}, \qquad
        w \to w + \eta\, x \quad\text{(postsynaptic spike)}

    so that for independent spikes the weights rest where the postsynaptic rate is rho_0.

    Parameters
    ----------
    eta : float or Quantity
        Learning rate, in the unit of the weights. The weight is the strength of inhibition, such as
        a conductance, and positive. For inhibition by negative weights give a negative `eta`, and
        bounds such as ``(-w_max, 0)``.
    rho_0 : float or Quantity
        Target rate, Hz.
    tau_stdp : float or Quantity
        Time constant of the traces, s.
    bounds : (float, float)
        Smallest and largest weight.

    References
    ----------
    Vogels, Sprekeler, Zenke, Clopath & Gerstner (2011), Science 334:1569.
    """
    return Plasticity(
        "dx_pre/dt = -x_pre/tau_stdp : 1\ndy_post/dt = -y_post/tau_stdp : 1",
        on_pre="w = w + eta*(y_post - 2*rho_0*tau_stdp); x_pre += 1",
        on_post="w = w + eta*x_pre; y_post += 1",
        bounds=bounds,
        eta=eta,
        rho_0=rho_0,
        tau_stdp=tau_stdp,
    )


def reward_modulated_stdp(
    *,
    w_max: Any,
    reward: str = "reward",
    eta: Any = 100.0,
    A_plus: Any = 0.025,
    A_minus: Any = 0.0375,
    tau_plus: Any = 20e-3,
    tau_minus: Any = 20e-3,
    tau_c: Any = 1.0,
    interactions: str = "nearest",
) -> Plasticity:
    r"""Spike-timing-dependent plasticity that waits for a reward (Izhikevich 2007; Florian 2007).

    Pairs of spikes change an eligibility trace c of the synapse, as `pair_stdp` changes the weight;
    with reward the weight, which stays in [0, w_max], follows the trace:

    .. math::
        dc/dt = -c/\tau_c + A_+ x\,\delta(t - t_{post}) - A_- y\,\delta(t - t_{pre}), \qquad
        dw/dt = \eta\, w_{max}\, reward\, c

    Parameters
    ----------
    w_max : float or Quantity
        Largest weight, in the unit of the weights.
    reward : str
        Name of a variable of the postsynaptic population: an input that a signal drives
        (``inputs={"P.reward": ...}``), or a state such as dopamine, that decays. May be negative.
    eta : float or Quantity
        Learning rate; 1/s for a reward without a unit.
    A_plus, A_minus : float or array_like
        What one pair adds to and takes from the eligibility.
    tau_plus, tau_minus, tau_c : float or Quantity
        Time constants of the pairs and of the eligibility, s.
    interactions : {"all-to-all", "nearest"}
        Which pairs count, as for `pair_stdp`.

    Notes
    -----
    Defaults are those of Izhikevich's program: 0.1 mV and 0.15 mV of a largest weight of 4 mV, and
    weights that go up by (0.002 + dopamine) c every 10 ms, here in every step. So the reward is
    ``0.002 + dopamine``, where ``d dopamine/dt = -dopamine/(200*ms)`` and a reward adds 0.5.
    Florian's MSTDPET is the rule with all-to-all interactions and ``gamma/tau_z`` for
    ``eta*w_max``: his eligibility obeys ``tau_z dz/dt = -z + ...``. Eligibility and weight of every
    synapse are updated in every step, which costs more than rules in which only spikes change them.

    References
    ----------
    Florian (2007), Neural Comput 19:1468.
    Izhikevich (2007), Cereb Cortex 17:2443.
    """
    if not isinstance(reward, str) or not reward.isidentifier():
        raise ValueError(
            '`reward` must be the name of a variable of the postsynaptic population, such as '
            f'"dopamine"; got {reward!r}'
        )
    sets = _spike(interactions)
    return Plasticity(
        "dx_pre/dt = -x_pre/tau_plus : 1\ndy_post/dt = -y_post/tau_minus : 1\n"
        f"dc/dt = -c/tau_c : 1\ndw/dt = eta*w_max*{reward}_post*c",
        on_pre=f"c = c - A_minus*y_post; x_pre {sets} 1",
        on_post=f"c = c + A_plus*x_pre; y_post {sets} 1",
        bounds=(0.0, w_max),
        eta=eta,
        A_plus=A_plus,
        A_minus=A_minus,
        tau_plus=tau_plus,
        tau_minus=tau_minus,
        tau_c=tau_c,
    )
