"""Networks that a single call makes: `rate_network`, `lif_network`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurodyn._arrays import as_generator, checked_count
from neurodyn.coupling import Coupling, PoissonInput
from neurodyn.network import Network
from neurodyn.neurons import Conductances, lif
from neurodyn.population import Population
from neurodyn.units import kHz, ms, mV, to_si
from neurodyn.weights import as_weights, sparse_random

if TYPE_CHECKING:
    from neurodyn._arrays import RNG
    from neurodyn.neurons import Currents


def rate_network(
    W,
    *,
    tau=0.1,
    activation: str = "tanh",
    form: str = "voltage",
    sigma: float = 0.0,
    **values: Any,
) -> Network:
    """A network of rate units, one population ``"E"``.

    In voltage form ``tau dx/dt = -x + W r + I_ext`` with ``r = activation(x)``; in activity form
    ``tau dr/dt = -r + activation(W r + I_ext)``. With `sigma` the state has white noise of
    stationary standard deviation `sigma` in the uncoupled unit.

    Parameters
    ----------
    W : array_like or Weights, (n, n)
        Recurrent weights, ``[post, pre]``.
    tau : float, array_like or Quantity
        Time constant, s; positive.
    activation : str
        Name of a function that equations know: ``"tanh"``, ``"relu"``, ``"sigmoid"``, ...
    form : {"voltage", "activity"}
    sigma : float
        Standard deviation of the noise; 0 leaves it out.
    **values
        Further values of the population, such as the initial state ``x=`` (voltage) or ``r=``.

    Returns
    -------
    Network
        Input ``E.I_ext``, coupling ``E.r->E.I_rec``.
    """
    weights = as_weights(W, name="W")
    if weights.shape[0] != weights.shape[1]:
        raise ValueError(
            f"`W` must be square, (post, pre); got shape {weights.shape}. "
            "Input weights belong in a Coupling of their own."
        )
    forms = {
        "voltage": (
            "dx/dt = (-x + I_rec + I_ext{noise})/tau : 1\nr = {activation}(x) : 1",
            "x",
        ),
        "activity": ("dr/dt = (-r + {activation}(I_rec + I_ext){noise})/tau : 1", "r"),
    }
    if form not in forms:
        raise ValueError(f'`form` must be "voltage" or "activity"; got {form!r}')
    text, _ = forms[form]
    if sigma:
        values["sigma"] = sigma
    noise = " + sigma*sqrt(2*tau)*xi" if sigma else ""
    population = Population(
        weights.shape[0], text.format(activation=activation, noise=noise), tau=tau, **values
    )
    return Network({"E": population}, [Coupling("E.r", "E.I_rec", weights)])


def lif_network(
    n_exc: int = 10_000,
    n_inh: int = 2_500,
    *,
    p: float | None = None,
    in_degree: tuple[int, int] | None = None,
    J: Any = 0.1 * mV,
    g: float = 5.0,
    delay: Any = 1.5 * ms,
    rate_ext: Any = 20 * kHz,
    synapses: Currents | Conductances | None = None,
    rng: RNG = None,
    **values: Any,
) -> Network:
    """Excitatory and inhibitory integrate-and-fire units, coupled sparsely at random.

    By default the network of Brunel (2000), in its asynchronous irregular state: each unit receives
    from a tenth of either population, and inhibition outweighs excitation.

    Parameters
    ----------
    n_exc, n_inh : int
        Units of the populations ``"E"`` and ``"I"``, default 10,000 and 2,500.
    p : float, optional
        Every pair is connected independently with this probability.
    in_degree : (int, int), optional
        Every unit receives from so many excitatory and so many inhibitory units, all different.
        Default, without `p`: a tenth of either population.
    J : float or Quantity
        What an excitatory spike brings, default 0.1 mV; with `synapses` a current or conductance.
    g : float
        Strength of an inhibitory synapse over that of an excitatory one, default 5: with four
        times as many excitatory synapses the two balance at 4 where spikes end at `v` or bring
        currents.
    delay : float or Quantity, s
        From a spike to its arrival, default 1.5 ms.
    rate_ext : float or Quantity, Hz
        Excitatory spikes from outside onto every unit, an independent Poisson process each, of
        weight J; default 20 kHz. Alone, and without `synapses`, they bring the mean potential to
        threshold at ``(v_th - v_rest)/(J tau)``, by default 10 kHz.
    synapses : neurodyn.neurons.Currents or neurodyn.neurons.Conductances, optional
        How spikes act, see `neurodyn.neurons`. Default None: they end at `v`.
    rng : int, SeedSequence, Generator or None
        Of the connections; each of the four projections has a stream of its own.
    **values
        Parameters and initial states of the units of both populations, as `neurodyn.neurons.lif`
        takes them. Defaults are Brunel's: ``tau`` 20 ms, ``v_rest``, ``v_th`` and ``v_reset`` 0, 20
        and 10 mV, ``refractory`` 2 ms; `v` starts anywhere between ``v_rest`` and ``v_th``.

    Returns
    -------
    Network
        Couplings ``E.spike->E.v`` and so on, or the targets of `synapses` in place of `v`; inputs
        ``E.I_ext`` and ``I.I_ext``.

    Notes
    -----
    Brunel (2000), model A: `J`, `g` and `delay` are his J, g and D, `rate_ext` his C_E nu_ext.
    Inhibitory weights are ``-g*J``, and ``g*J`` where they are conductances.
    """
    n = {"E": checked_count(n_exc, "n_exc"), "I": checked_count(n_inh, "n_inh")}
    degrees = _in_degrees(n, p, in_degree)
    target = dict(zip("EI", ("v", "v") if synapses is None else synapses.targets))
    weight = {"E": 1.0 * J, "I": (g if isinstance(synapses, Conductances) else -g) * J}
    units = dict(v_rest=0 * mV, v_th=20 * mV, v_reset=10 * mV, tau=20 * ms, refractory=2 * ms)
    units = {**units, **values}
    units.setdefault("v", _anywhere(units["v_rest"], units["v_th"]))
    populations = {name: lif(n[name], synapses=synapses, **units) for name in n}
    streams = iter(as_generator(rng).spawn(4))
    couplings: list[Coupling | PoissonInput] = []
    for post in n:
        for pre in n:
            W = sparse_random(
                (n[post], n[pre]), p=p, in_degree=degrees[pre], weight=weight[pre],
                rng=next(streams),
            )  # fmt: skip
            couplings.append(
                Coupling(f"{pre}.spike", f"{post}.{target[pre]}", W, delay=delay)
            )
    couplings += [PoissonInput(f"{name}.{target['E']}", rate_ext, weight["E"]) for name in n]
    return Network(populations, couplings)


def _in_degrees(n: dict[str, int], p, in_degree) -> dict[str, int | None]:
    """Number of synapses of a unit from each population; None where they are left to chance."""
    if p is not None:
        if in_degree is not None:
            raise ValueError(f"give either `p` or `in_degree`; got p={p}, in_degree={in_degree}")
        return dict.fromkeys(n)
    if in_degree is None:
        return {name: max(1, round(size / 10)) for name, size in n.items()}
    if np.shape(in_degree) != (2,):
        raise ValueError(
            f"`in_degree` must be two numbers, (excitatory, inhibitory); got {in_degree!r}"
        )
    return dict(zip(n, in_degree))


def _anywhere(low: Any, high: Any):
    """An initial value: uniform between two numbers, or between those of each unit."""
    low, high = to_si(low, "v_rest").value, to_si(high, "v_th").value
    return lambda rng, size: low + (high - low) * rng.random(size)
