"""neurodyn: neural circuits from their equations to their dynamics.

``import neurodyn as nd`` is all a script needs: ``nd.Population``, ``nd.Coupling``, ``nd.Network``
describe a circuit, ``nd.simulate`` runs it with a solver such as ``nd.RK4(dt=1*nd.ms)``, and
``nd.neurons``, ``nd.weights``, ``nd.signals``, ``nd.tasks``, ``nd.learning``, ``nd.plot`` and
``nd.circuits`` are the modules around them.

Names are imported when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from neurodyn._version import __version__

if TYPE_CHECKING:  # what editors and type checkers see; the test suite compares it with _EXPORTS
    from neurodyn import (
        analyses,
        circuits,
        data,
        experiments,
        interop,
        learning,
        neurons,
        plasticity,
        plot,
        signals,
        surrogates,
        sweeps,
        tasks,
        units,
        weights,
    )
    from neurodyn.coupling import Coupling, PoissonInput
    from neurodyn.expression_trees import EquationError
    from neurodyn.flow import Flow, Map
    from neurodyn.network import Network
    from neurodyn.network_files import load_network, save_network
    from neurodyn.plasticity import Plasticity
    from neurodyn.population import Population
    from neurodyn.results import final_state, load, save
    from neurodyn.shorthands import lif_network, rate_network
    from neurodyn.simulation import SimulationDiverged, simulate
    from neurodyn.simulation.recording import concatenate
    from neurodyn.simulation.synapses import with_final_weights
    from neurodyn.solvers import RK4, DormandPrince, Euler, Exact, ExponentialEuler, Heun, Solver
    from neurodyn.spike_sources import poisson_source, spike_source
    from neurodyn.sweeps.run import open_sweep, sweep
    from neurodyn.units import Quantity, UnitError

#: Where each public name lives; None for the modules themselves.
_EXPORTS: dict[str, str | None] = {
    "Coupling": "neurodyn.coupling",
    "DormandPrince": "neurodyn.solvers",
    "EquationError": "neurodyn.expression_trees",
    "Euler": "neurodyn.solvers",
    "Exact": "neurodyn.solvers",
    "ExponentialEuler": "neurodyn.solvers",
    "Flow": "neurodyn.flow",
    "Heun": "neurodyn.solvers",
    "Map": "neurodyn.flow",
    "Network": "neurodyn.network",
    "PoissonInput": "neurodyn.coupling",
    "Plasticity": "neurodyn.plasticity",
    "Population": "neurodyn.population",
    "Quantity": "neurodyn.units",
    "RK4": "neurodyn.solvers",
    "SimulationDiverged": "neurodyn.simulation",
    "Solver": "neurodyn.solvers",
    "UnitError": "neurodyn.units",
    "analyses": None,
    "circuits": None,
    "concatenate": "neurodyn.simulation.recording",
    "data": None,
    "experiments": None,
    "final_state": "neurodyn.results",
    "interop": None,
    "learning": None,
    "lif_network": "neurodyn.shorthands",
    "load": "neurodyn.results",
    "load_network": "neurodyn.network_files",
    "neurons": None,
    "open_sweep": "neurodyn.sweeps.run",
    "plasticity": None,
    "plot": None,
    "poisson_source": "neurodyn.spike_sources",
    "rate_network": "neurodyn.shorthands",
    "save": "neurodyn.results",
    "save_network": "neurodyn.network_files",
    "signals": None,
    "simulate": "neurodyn.simulation",
    "spike_source": "neurodyn.spike_sources",
    "surrogates": None,
    "sweep": "neurodyn.sweeps.run",
    "sweeps": None,
    "tasks": None,
    "units": None,
    "weights": None,
    "with_final_weights": "neurodyn.simulation.synapses",
}

#: The units, ``nd.ms`` and so on: the same names as `neurodyn.units.UNITS`, which costs NumPy.
_UNITS = (
    "second ms msecond us usecond minute hertz Hz kHz volt mV uV ampere amp mA uA nA pA "
    "siemens mS uS nS ohm kohm Mohm Gohm farad uF nF pF coulomb metre meter cm mm um kelvin"
).split()
_EXPORTS.update(dict.fromkeys(_UNITS, "neurodyn.units"))

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        hint = ""
        if not name.startswith("_"):
            from difflib import get_close_matches

            close = get_close_matches(name, _EXPORTS, n=1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
        raise AttributeError(f"module 'neurodyn' has no attribute {name!r}{hint}")
    module = _EXPORTS[name]
    if module is None:
        return import_module(f"neurodyn.{name}")
    value = getattr(import_module(module), name)
    globals()[name] = value  # the next access does not come here
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_EXPORTS))
