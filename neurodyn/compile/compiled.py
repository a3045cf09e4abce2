"""A network bound to its generated module: values, weights and workspaces as the kernels want them.

`CompiledNetwork` is where flat state vectors, named variables and kernel workspaces meet. The flat
state vector of a trial holds the states in the order of ``network.state_names``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from neurodyn._arrays import aligned, padded, padded_size
from neurodyn.compile import module
from neurodyn.compile.adjoint import Adjoint
from neurodyn.compile.exact_values import LinearSystem, propagators
from neurodyn.units import UnitError, format_dimension, to_si

if TYPE_CHECKING:
    from types import ModuleType

    from neurodyn.compile.jacobian import JacobianAssembly
    from neurodyn.compile.wanted import Wanted
    from neurodyn.network import Network


class CompiledNetwork:
    """The compiled functions of a network in one number type.

    Parameters
    ----------
    network : Network
    dtype : {"float64", "float32"}
    driven : sequence of str
        Inputs that get an external drive although couplings fill them too.
    plastic : bool
        Whether the loops change the weights of plastic couplings.
    """

    def __init__(
        self,
        network: Network,
        dtype: str = "float64",
        driven: Sequence[str] = (),
        plastic: bool = False,
    ):
        if dtype not in ("float64", "float32"):
            raise ValueError(f'`dtype` must be "float64" or "float32"; got {dtype!r}')
        for name in driven:
            if name not in network.input_names:
                network.split(name)
                raise ValueError(f"`{name}` is not an input; inputs: {network.input_names}")
        self.network = network
        self.dtype = np.dtype(dtype)
        self.structure = network.structure(dtype, driven, plastic)
        self.sizes = tuple(p.size for p in network.populations.values())
        self.widths = tuple(padded_size(size, dtype) for size in self.sizes)
        self._entries: dict[float, list[np.ndarray]] = {}
        self._gradient_modules: dict[Wanted, ModuleType] = {}

    @cached_property
    def module(self) -> ModuleType:
        """The generated module; functions compile, or load from disk, when first called."""
        return module.load(self.structure)

    @cached_property
    def tangent_module(self) -> ModuleType:
        """The generated module of the functions that carry tangents along."""
        return module.load(self.structure, "tangents")

    def gradient_module(self, wanted: Wanted) -> ModuleType:
        """The module that sweeps back through runs; see `neurodyn.compile.adjoint_loops`."""
        if wanted not in self._gradient_modules:
            self._gradient_modules[wanted] = module.load_gradients(self.structure, wanted)
        return self._gradient_modules[wanted]

    # -- arguments of the kernels --------------------------------------------------------------

    @cached_property
    def value_arrays(self) -> list[np.ndarray]:
        """Parameter arrays in the order of ``ModuleWriter.value_arguments``."""
        found = []
        members = zip(self.structure.populations, self.network.populations.values(), strict=True)
        for structure, population in members:
            if structure.scalars:
                values = [population.compiled_values[n] for n in structure.scalars]
                found.append(np.array(values, dtype=self.dtype))
            if structure.per_unit:
                rows = np.stack([population.parameters[n] for n in structure.per_unit])
                found.append(padded(rows, self.dtype, mode="edge"))
        return found

    @cached_property
    def weight_arrays(self) -> list[np.ndarray]:
        """Weight arrays in the order of ``ModuleWriter.weight_arguments``."""
        return self._weight_arrays(transposed=False)

    @cached_property
    def transposed_weight_arrays(self) -> list[np.ndarray]:
        return self._weight_arrays(transposed=True)

    def weights_with(self, plastic: Mapping[int, Sequence[np.ndarray]]) -> list[np.ndarray]:
        """The weight arrays with those of plastic couplings, by number, put in."""
        if not plastic:
            return self.weight_arrays
        found = []
        for c in self.structure.rate_couplings:
            if c in plastic:
                found += plastic[c]
                continue
            for term in self.network.couplings[c].weights.terms:
                found += term.kernel_arrays(self.dtype)
        return found

    def _weight_arrays(self, transposed: bool) -> list[np.ndarray]:
        found = []
        for c in self.structure.rate_couplings:
            for term in self.network.couplings[c].weights.terms:
                found += (term.T if transposed else term).kernel_arrays(self.dtype)
        return found

    def propagators(self, dt: float, units: Sequence[slice]) -> list[np.ndarray]:
        """What the loop of `neurodyn.Exact` takes for the ranges `units` of each population."""
        if dt not in self._entries:
            self._entries[dt] = [
                propagators(system, population.parameters, population.size, dt)
                for system, population in zip(
                    self.linear_systems, self.network.populations.values(), strict=True
                )
            ]
        found = []
        for system, entries, part in zip(
            self.linear_systems, self._entries[dt], units, strict=True
        ):
            if system.per_unit:
                found.append(padded(entries[:, part], self.dtype, mode="edge"))
            else:
                found.append(entries.astype(self.dtype))
        return found

    @cached_property
    def linear_systems(self) -> list[LinearSystem]:
        """The equations of every population as matrices."""
        return [LinearSystem(*record) for record in self.module.LINEAR_SYSTEMS]

    def workspaces(
        self, n_trials: int, scratch: int = 0, sizes: Sequence[int] | None = None
    ) -> list[np.ndarray]:
        """Zeroed workspaces ``(slot, trial, unit)``, with `scratch` slots a state at their end.

        `sizes` are the numbers of units, by default all.
        """
        widths = self.widths if sizes is None else [padded_size(n, self.dtype) for n in sizes]
        return [
            aligned(
                np.zeros((len(p.slots) + scratch * len(p.states), n_trials, width), self.dtype)
            )
            for p, width in zip(self.structure.populations, widths, strict=True)
        ]

    def drives(self, inputs: Mapping[str, object] | None, n_trials: int) -> list[np.ndarray]:
        """Constant drives, one row each, for the inputs that have none of the couplings' own."""
        inputs = dict(inputs or {})
        found = []
        for name in self.driven_names:
            value, dim = to_si(inputs.pop(name, 0.0), name)
            expected = self.network.dimension(name)
            if dim not in (None, expected):
                raise UnitError(
                    f"`inputs`: `{name}` must be in {format_dimension(expected)}; "
                    f"got {format_dimension(dim)}"
                )
            shape = (n_trials, self.sizes[self.slot(name)[0]])
            try:
                row = np.broadcast_to(value, shape)
            except ValueError:
                raise ValueError(
                    f"`inputs`: `{name}` must be a number, (unit,) or (trial, unit) = {shape}; "
                    f"got shape {np.shape(value)}"
                ) from None
            found.append(np.array(row[None], dtype=self.dtype, order="C"))
        if inputs:
            name = next(iter(inputs))
            self.network.split(name)
            raise ValueError(
                f"`inputs`: `{name}` is not an input; inputs: {', '.join(self.network.input_names)}"
            )
        return found

    @cached_property
    def driven_names(self) -> tuple[str, ...]:
        """Inputs with an external drive, in the order of the drive arguments."""
        return tuple(f"{p.name}.{n}" for p in self.structure.populations for n in p.driven)

    @cached_property
    def uses_dt(self) -> bool:
        return any(p.uses_dt for p in self.structure.populations)

    # -- states --------------------------------------------------------------------------------

    def place(self, name: str) -> tuple[int, str]:
        """Population index and own name of a variable."""
        population, variable = self.network.split(name)
        return list(self.network.populations).index(population), variable

    def slot(self, name: str) -> tuple[int, int]:
        """Population index and workspace slot of a variable, input or noise variable."""
        p, variable = self.place(name)
        return p, self.structure.populations[p].slots[variable]

    def put(self, workspaces, state: Mapping[str, np.ndarray]) -> None:
        """Write named states ``(trial, unit)`` into workspaces."""
        for name, values in state.items():
            p, slot = self.slot(name)
            workspaces[p][slot][..., : self.sizes[p]] = values

    def take(self, workspaces, name: str) -> np.ndarray:
        """A named variable ``(trial, unit)``, a view into the workspaces."""
        p, slot = self.slot(name)
        return workspaces[p][slot][..., : self.sizes[p]]

    def put_flat(self, workspaces, x: np.ndarray, prefix: str = "") -> None:
        """Write flat vectors ``(..., n_states)`` into the slots ``prefix + state``."""
        start = 0
        for p, structure in enumerate(self.structure.populations):
            for state in structure.states:
                stop = start + self.sizes[p]
                row = workspaces[p][structure.slots[prefix + state]]
                row[..., : self.sizes[p]] = x[..., start:stop]
                start = stop

    def take_flat(self, workspaces, prefix: str = "") -> np.ndarray:
        """Flat vectors ``(..., n_states)`` from the slots ``prefix + state``."""
        parts = [
            workspaces[p][structure.slots[prefix + state]][..., : self.sizes[p]]
            for p, structure in enumerate(self.structure.populations)
            for state in structure.states
        ]
        return np.concatenate(parts, axis=-1)

    # -- the three functions -------------------------------------------------------------------

    def field(self, x, *, inputs=None, t: float = 0.0, dt: float | None = None) -> np.ndarray:
        """dx/dt of the network, noise left out.

        Parameters
        ----------
        x : array_like, (n_states,) or (trial, n_states)
            States in the order of ``network.state_names``.
        inputs : dict of str to array_like, optional
            Values of inputs, broadcast to (trial, unit); 0 where not given.
        t : float
            Time, s, for equations that contain ``t``.
        dt : float, optional
            Step, s, for equations that contain ``dt``.

        Returns
        -------
        ndarray, like `x`
            In units of the state per second.
        """
        x, workspaces = self._evaluated(x, inputs, t, dt)
        return self.take_flat(workspaces, "d").reshape(x.shape)

    def tangent(self, x, v, *, inputs=None, t: float = 0.0, dt: float | None = None) -> np.ndarray:
        """Jacobian of `field` at `x` times vectors.

        Parameters
        ----------
        x : array_like, (n_states,) or (trial, n_states)
        v : array_like, (..., n_states)
            For `x` without a trial axis one vector or ``(vector, n_states)``; with it
            ``(trial, n_states)`` or ``(trial, vector, n_states)``.
        inputs, t, dt
            As for `field`.

        Returns
        -------
        ndarray, like `v`
        """
        x = np.asarray(x, dtype=float)
        v = np.asarray(v, dtype=float)
        vectors = v.reshape((1, *v.shape) if x.ndim == 1 else v.shape)
        vectors = vectors[:, None] if vectors.ndim == 2 else vectors
        rows = self._states(x, dt)
        n_trials = len(rows)
        if vectors.ndim != 3 or vectors.shape[::2] != (n_trials, self.network.n_states):
            raise ValueError(
                f"`v` must be (..., n_states) = (..., {self.network.n_states}) for each of "
                f"{n_trials} trials; got shape {v.shape} for `x` of shape {x.shape}"
            )
        workspaces = self.workspaces(n_trials)
        self.put_flat(workspaces, rows)
        tangents = self.tangent_workspaces(n_trials, vectors.shape[1])
        self.put_tangents(tangents, np.swapaxes(vectors, 1, 2))
        self.tangent_module.tangent(
            *workspaces, *self.value_arrays, *self.weight_arrays, *self.drives(inputs, n_trials),
            *tangents, *self.transposed_weight_arrays, 0, *self._time(t, dt),
        )  # fmt: skip
        found = self.take_tangents(tangents, vectors.shape[1], "d")
        return np.swapaxes(found, 1, 2).reshape(v.shape)

    def tangent_workspaces(
        self, n_trials: int, n_vectors: int, scratch: int = 0
    ) -> list[np.ndarray]:
        """Zeroed tangents ``(slot, trial, unit, vector)`` of all populations.

        Vectors are filled up to whole cache lines, except that a single one stays alone.
        """
        width = 1 if n_vectors == 1 else padded_size(n_vectors, self.dtype)
        return [
            aligned(
                np.zeros(
                    (len(p.slots) + scratch * len(p.states), n_trials, size, width), self.dtype
                )
            )
            for p, size in zip(self.structure.populations, self.sizes, strict=True)
        ]

    def put_tangents(self, tangents, vectors: np.ndarray) -> None:
        """Write vectors ``(trial, n_states, vector)`` into the slots of the states."""
        start = 0
        for p, structure in enumerate(self.structure.populations):
            for state in structure.states:
                stop = start + self.sizes[p]
                row = tangents[p][structure.slots[state]]
                row[..., : vectors.shape[-1]] = vectors[:, start:stop]
                start = stop

    def take_tangents(self, tangents, n_vectors: int, prefix: str = "") -> np.ndarray:
        """Vectors ``(trial, n_states, vector)`` from the slots ``prefix + state``."""
        parts = [
            tangents[p][structure.slots[prefix + state]][..., :n_vectors]
            for p, structure in enumerate(self.structure.populations)
            for state in structure.states
        ]
        return np.concatenate(parts, axis=1)

    def jacobian(self, x, *, inputs=None, t: float = 0.0, dt: float | None = None) -> np.ndarray:
        """Jacobian of `field` at `x`, ``(..., n_states, n_states)``, entry ``[i, j] = df_i/dx_j``.

        Parameters
        ----------
        x, inputs, t, dt
            As for `field`.
        """
        x, workspaces = self._evaluated(x, inputs, t, dt)
        found = self._jacobian_assembly(workspaces, t, dt)
        return found.reshape(*x.shape, self.network.n_states)

    @cached_property
    def _jacobian_assembly(self) -> JacobianAssembly:
        from neurodyn.compile.jacobian import JacobianAssembly

        return JacobianAssembly(self)

    def adjoint(self, x, cotangent, *, inputs=None, t: float = 0.0, dt=None) -> Adjoint:
        """Pull a cotangent of dx/dt back onto states, parameters, inputs and weights.

        Parameters
        ----------
        x, cotangent : array_like, (n_states,) or (trial, n_states)
        inputs, t, dt
            As for `field`.

        Returns
        -------
        Adjoint
        """
        x, workspaces = self._evaluated(x, inputs, t, dt)
        cotangent = np.asarray(cotangent, dtype=float)
        if cotangent.shape != x.shape:
            raise ValueError(
                f"`cotangent` must have the shape of `x`, {x.shape}; got {cotangent.shape}"
            )
        local = self._linearised(workspaces, t, dt)
        cotangents = [
            np.zeros((len(p.slots), *w.shape[1:]), dtype=self.dtype)
            for p, w in zip(self.structure.populations, workspaces, strict=True)
        ]
        self.put_flat(cotangents, np.atleast_2d(cotangent), "d")
        time = self._time(t, dt)
        self.module.adjoint(
            *local, *self.value_arrays, *self.transposed_weight_arrays, *cotangents, *time
        )
        gradients = self._parameter_arrays(workspaces[0].shape[1])
        flat = [g for pair in gradients for g in pair if g is not None]
        self.module.parameter_gradient(
            *workspaces, *self.value_arrays, *cotangents, *self.sizes, *flat, *time
        )
        return self._adjoint(x, workspaces, cotangents, gradients)

    def _adjoint(self, x, workspaces, cotangents, gradients) -> Adjoint:
        def trimmed(values):
            return values[0] if x.ndim == 1 else values

        parameters = {}
        for structure, (scalars, units) in zip(
            self.structure.populations, gradients, strict=True
        ):
            given = self.network.populations[structure.name].parameters
            for k, name in enumerate(structure.scalars):
                if name in given:  # the numbers of a surrogate are no parameters
                    parameters[f"{structure.name}.{name}"] = trimmed(scalars[k])
            for k, name in enumerate(structure.per_unit):
                parameters[f"{structure.name}.{name}"] = trimmed(units[k])

        def read(arrays, name):
            return trimmed(self.take(arrays, name))

        labels = zip(self.network.coupling_labels, self.network.couplings, strict=True)
        couplings = {label: c for label, c in labels if not c.carries_spikes}
        return Adjoint(
            self.take_flat(cotangents).reshape(x.shape),
            parameters,
            {name: read(cotangents, name) for name in self.network.input_names},
            {label: read(workspaces, c.source) for label, c in couplings.items()},
            {label: c.weights for label, c in couplings.items()},
            {label: c.target for label, c in couplings.items()},
        )

    def _parameter_arrays(self, n_trials: int):
        return [
            (
                np.zeros((len(p.scalars), n_trials), self.dtype) if p.scalars else None,
                np.zeros((len(p.per_unit), n_trials, size), self.dtype) if p.per_unit else None,
            )
            for p, size in zip(self.structure.populations, self.sizes, strict=True)
        ]

    def _states(self, x: np.ndarray, dt) -> np.ndarray:
        """Checked states ``(trial, n_states)``."""
        n = self.network.n_states
        if x.ndim not in (1, 2) or x.shape[-1] != n:
            raise ValueError(
                f"`x` must be (n_states,) or (trial, n_states) with n_states = {n}; "
                f"got shape {x.shape}"
            )
        if self.uses_dt and dt is None:
            raise ValueError("the equations contain `dt`: give `dt=` as the solver would")
        return np.atleast_2d(x)

    def _evaluated(self, x, inputs, t, dt):
        """Workspaces after `field` at `x`."""
        x = np.asarray(x, dtype=float)
        rows = self._states(x, dt)
        workspaces = self.workspaces(len(rows))
        self.put_flat(workspaces, rows)
        arguments = [*workspaces, *self.value_arrays, *self.weight_arrays]
        arguments += self.drives(inputs, len(rows))
        self.module.field(*arguments, 0, *self._time(t, dt))
        return x, workspaces

    def _linearised(self, workspaces, t, dt) -> list[np.ndarray]:
        local = [
            np.zeros((n, *w.shape[1:]), dtype=self.dtype)
            for n, w in zip(self.module.LOCAL_SLOTS, workspaces, strict=True)
        ]
        self.module.linearise(*workspaces, *self.value_arrays, *local, *self._time(t, dt))
        return local

    def _time(self, t, dt) -> tuple[np.floating, np.floating]:
        t = to_si(t, "t").value
        dt = to_si(0.0 if dt is None else dt, "dt").value
        return self.dtype.type(t), self.dtype.type(dt)
