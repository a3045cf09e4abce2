"""Analyses, one folder per kind of question, one module per question.

======================  ==========================================================================
`spikes`                rates, intervals, counts, correlations, synchrony of spike trains
`equilibria`            fixed and slow points, their stability and modes
`linear`                near a point: modes, noise, responses, transients, pseudospectra
`contraction`           whether all trajectories come together: rates, metrics, theorems
`phase_space`           flow, nullclines, branches, bifurcations, limit cycles, basins
`lyapunov`              Lyapunov exponents, covariant vectors, dimension, entropy
`activity`              timescales, memory, dimensions, representations, geometry
`learning`              regime, tangent kernel, alignment, forgetting
`theory`                mean fields, Siegert rates, reductions, beside simulation
======================  ==========================================================================

All public names are here: ``analyses.fixed_points``.

An analysis is a function that takes any `Network` (or plain arrays) and returns a frozen result
with its own evidence: residuals, convergence history, how many starts failed. It raises, or says
``converged=False``; it never returns a number it does not trust.

Names are imported when they are first used.
"""
# ruff: noqa: F401  (what only type checkers import)

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# One class must not exist twice: a second copy of it would fail every isinstance.
if __name__ != "neurodyn.analyses":
    raise ImportError("import neurodyn.analyses, not analyses")

if TYPE_CHECKING:  # what editors and type checkers see; the test suite compares it with _EXPORTS
    from neurodyn.analyses.activity.dimensions import (
        Dimensionality,
        MatrixRanks,
        dimensionality,
        matrix_ranks,
        participation_ratio,
        principal_angles,
    )
    from neurodyn.analyses.activity.memory import (
        MemoryCapacity,
        linear_memory_function,
        memory_capacity,
    )
    from neurodyn.analyses.activity.representations import (
        NoiseCeiling,
        cka,
        dissimilarity_matrix,
        kernel_alignment,
        linear_cka,
        procrustes_distance,
        representation_alignment,
        rsa,
        rsa_noise_ceiling,
        sign_similarity,
    )
    from neurodyn.analyses.activity.timescale_fits import (
        NetworkTimescales,
        TimescaleFit,
        autocorrelation_timescale,
        network_timescales,
    )
    from neurodyn.analyses.activity.timescales import (
        Autocorrelation,
        autocorrelation,
        integrated_timescale,
        leak_timescale,
    )
    from neurodyn.analyses.activity.trajectories import (
        Tangling,
        TrajectoryGeometry,
        tangling,
        trajectory_geometry,
    )
    from neurodyn.analyses.contraction.assemblies import (
        AssemblyContraction,
        CombinationCoupling,
        assembly_contraction,
        combination_coupling,
    )
    from neurodyn.analyses.contraction.rates import (
        ContractionRate,
        contraction_metric,
        contraction_rate,
    )
    from neurodyn.analyses.contraction.theorems import (
        ContractionCondition,
        contraction_conditions,
        slope_vertices,
    )
    from neurodyn.analyses.equilibria.record import FixedPoints, Modes
    from neurodyn.analyses.equilibria.search import fixed_points, slow_points
    from neurodyn.analyses.learning.continual_evaluation import StabilityGap, stability_gap
    from neurodyn.analyses.learning.forgetting import (
        ForgettingMetrics,
        forgetting_metrics,
        omega_all,
    )
    from neurodyn.analyses.learning.regimes import (
        LearningRegime,
        WeightChange,
        learning_regime,
        weight_change,
    )
    from neurodyn.analyses.learning.tangent_kernels import (
        TangentKernel,
        tangent_kernel,
        target_alignment,
    )
    from neurodyn.analyses.linear.linearisation import Linearisation, linearise
    from neurodyn.analyses.linear.noise import (
        NoiseCovariance,
        PowerSpectrum,
        lagged_covariance,
        noise_covariance,
        power_spectrum,
    )
    from neurodyn.analyses.linear.pseudospectra import Pseudospectrum, pseudospectrum
    from neurodyn.analyses.linear.transfer_functions import LinearResponse, linear_response
    from neurodyn.analyses.linear.transients import TransientGrowth, transient_growth
    from neurodyn.analyses.lyapunov.covariant_vectors import (
        CovariantVectors,
        covariant_lyapunov_vectors,
    )
    from neurodyn.analyses.lyapunov.exponents import (
        LyapunovSpectrum,
        lyapunov_exponent,
        lyapunov_spectrum,
    )
    from neurodyn.analyses.lyapunov.measures import entropy_rate, kaplan_yorke_dimension
    from neurodyn.analyses.phase_space.basins_of_attraction import Attractor, Basins, basins
    from neurodyn.analyses.phase_space.continuation import (
        Bifurcation,
        Branch,
        continue_equilibria,
        switch_branch,
    )
    from neurodyn.analyses.phase_space.limit_cycles import LimitCycle, limit_cycle
    from neurodyn.analyses.phase_space.paths import Trajectories, trajectories_from
    from neurodyn.analyses.phase_space.phase_plane import (
        FlowField,
        Nullclines,
        flow_field,
        nullclines,
    )
    from neurodyn.analyses.spikes.correlations import (
        autocorrelogram,
        count_correlation,
        count_correlation_matrix,
        cross_correlogram,
    )
    from neurodyn.analyses.spikes.statistics import (
        fano_factors,
        firing_rates,
        interspike_intervals,
        interval_cv,
        interval_cv2,
        interval_lv,
        population_rate,
    )
    from neurodyn.analyses.spikes.synchrony_measures import chi_synchrony, rate_spectrum, synchrony
    from neurodyn.analyses.theory.comparison import TheoryComparison, compare_with_theory
    from neurodyn.analyses.theory.dynamic_mean_fields import DynamicMeanField, dynamic_mean_field
    from neurodyn.analyses.theory.lowrank_ensemble import (
        LowRankEnsemble,
        empirical_ensemble,
        gaussian_ensemble,
    )
    from neurodyn.analyses.theory.lowrank_mean_field import (
        LowRankFixedPoints,
        effective_flow,
        lowrank_fixed_points,
    )
    from neurodyn.analyses.theory.siegert import siegert_cv, siegert_rate
    from neurodyn.analyses.theory.siegert_networks import (
        LIFPopulations,
        SiegertRates,
        lif_populations,
        siegert_network,
    )
    from neurodyn.analyses.theory.wilson_cowan_reduction import (
        PopulationReduction,
        ReducedFixedPoints,
        reduced_fixed_points,
        wilson_cowan,
    )
    from neurodyn.recorded_spikes import spike_trains
    from neurodyn.spike_trains import SpikeTrains

#: Where each public name lives.
_EXPORTS = {
    "AssemblyContraction": "neurodyn.analyses.contraction.assemblies",
    "Attractor": "neurodyn.analyses.phase_space.basins_of_attraction",
    "Autocorrelation": "neurodyn.analyses.activity.timescales",
    "Basins": "neurodyn.analyses.phase_space.basins_of_attraction",
    "Bifurcation": "neurodyn.analyses.phase_space.continuation",
    "Branch": "neurodyn.analyses.phase_space.continuation",
    "CombinationCoupling": "neurodyn.analyses.contraction.assemblies",
    "ContractionCondition": "neurodyn.analyses.contraction.theorems",
    "ContractionRate": "neurodyn.analyses.contraction.rates",
    "CovariantVectors": "neurodyn.analyses.lyapunov.covariant_vectors",
    "Dimensionality": "neurodyn.analyses.activity.dimensions",
    "DynamicMeanField": "neurodyn.analyses.theory.dynamic_mean_fields",
    "FixedPoints": "neurodyn.analyses.equilibria.record",
    "FlowField": "neurodyn.analyses.phase_space.phase_plane",
    "ForgettingMetrics": "neurodyn.analyses.learning.forgetting",
    "LIFPopulations": "neurodyn.analyses.theory.siegert_networks",
    "LearningRegime": "neurodyn.analyses.learning.regimes",
    "LimitCycle": "neurodyn.analyses.phase_space.limit_cycles",
    "LinearResponse": "neurodyn.analyses.linear.transfer_functions",
    "Linearisation": "neurodyn.analyses.linear.linearisation",
    "LowRankEnsemble": "neurodyn.analyses.theory.lowrank_ensemble",
    "LowRankFixedPoints": "neurodyn.analyses.theory.lowrank_mean_field",
    "LyapunovSpectrum": "neurodyn.analyses.lyapunov.exponents",
    "MatrixRanks": "neurodyn.analyses.activity.dimensions",
    "MemoryCapacity": "neurodyn.analyses.activity.memory",
    "Modes": "neurodyn.analyses.equilibria.record",
    "NetworkTimescales": "neurodyn.analyses.activity.timescale_fits",
    "NoiseCeiling": "neurodyn.analyses.activity.representations",
    "NoiseCovariance": "neurodyn.analyses.linear.noise",
    "Nullclines": "neurodyn.analyses.phase_space.phase_plane",
    "PopulationReduction": "neurodyn.analyses.theory.wilson_cowan_reduction",
    "PowerSpectrum": "neurodyn.analyses.linear.noise",
    "Pseudospectrum": "neurodyn.analyses.linear.pseudospectra",
    "ReducedFixedPoints": "neurodyn.analyses.theory.wilson_cowan_reduction",
    "SiegertRates": "neurodyn.analyses.theory.siegert_networks",
    "SpikeTrains": "neurodyn.spike_trains",
    "StabilityGap": "neurodyn.analyses.learning.continual_evaluation",
    "TangentKernel": "neurodyn.analyses.learning.tangent_kernels",
    "Tangling": "neurodyn.analyses.activity.trajectories",
    "TheoryComparison": "neurodyn.analyses.theory.comparison",
    "TimescaleFit": "neurodyn.analyses.activity.timescale_fits",
    "Trajectories": "neurodyn.analyses.phase_space.paths",
    "TrajectoryGeometry": "neurodyn.analyses.activity.trajectories",
    "TransientGrowth": "neurodyn.analyses.linear.transients",
    "WeightChange": "neurodyn.analyses.learning.regimes",
    "assembly_contraction": "neurodyn.analyses.contraction.assemblies",
    "autocorrelation": "neurodyn.analyses.activity.timescales",
    "autocorrelation_timescale": "neurodyn.analyses.activity.timescale_fits",
    "autocorrelogram": "neurodyn.analyses.spikes.correlations",
    "basins": "neurodyn.analyses.phase_space.basins_of_attraction",
    "chi_synchrony": "neurodyn.analyses.spikes.synchrony_measures",
    "cka": "neurodyn.analyses.activity.representations",
    "combination_coupling": "neurodyn.analyses.contraction.assemblies",
    "compare_with_theory": "neurodyn.analyses.theory.comparison",
    "continue_equilibria": "neurodyn.analyses.phase_space.continuation",
    "contraction_conditions": "neurodyn.analyses.contraction.theorems",
    "contraction_metric": "neurodyn.analyses.contraction.rates",
    "contraction_rate": "neurodyn.analyses.contraction.rates",
    "count_correlation": "neurodyn.analyses.spikes.correlations",
    "count_correlation_matrix": "neurodyn.analyses.spikes.correlations",
    "covariant_lyapunov_vectors": "neurodyn.analyses.lyapunov.covariant_vectors",
    "cross_correlogram": "neurodyn.analyses.spikes.correlations",
    "dimensionality": "neurodyn.analyses.activity.dimensions",
    "dissimilarity_matrix": "neurodyn.analyses.activity.representations",
    "dynamic_mean_field": "neurodyn.analyses.theory.dynamic_mean_fields",
    "effective_flow": "neurodyn.analyses.theory.lowrank_mean_field",
    "empirical_ensemble": "neurodyn.analyses.theory.lowrank_ensemble",
    "entropy_rate": "neurodyn.analyses.lyapunov.measures",
    "fano_factors": "neurodyn.analyses.spikes.statistics",
    "firing_rates": "neurodyn.analyses.spikes.statistics",
    "fixed_points": "neurodyn.analyses.equilibria.search",
    "flow_field": "neurodyn.analyses.phase_space.phase_plane",
    "forgetting_metrics": "neurodyn.analyses.learning.forgetting",
    "gaussian_ensemble": "neurodyn.analyses.theory.lowrank_ensemble",
    "integrated_timescale": "neurodyn.analyses.activity.timescales",
    "interspike_intervals": "neurodyn.analyses.spikes.statistics",
    "interval_cv": "neurodyn.analyses.spikes.statistics",
    "interval_cv2": "neurodyn.analyses.spikes.statistics",
    "interval_lv": "neurodyn.analyses.spikes.statistics",
    "kaplan_yorke_dimension": "neurodyn.analyses.lyapunov.measures",
    "kernel_alignment": "neurodyn.analyses.activity.representations",
    "lagged_covariance": "neurodyn.analyses.linear.noise",
    "leak_timescale": "neurodyn.analyses.activity.timescales",
    "learning_regime": "neurodyn.analyses.learning.regimes",
    "lif_populations": "neurodyn.analyses.theory.siegert_networks",
    "limit_cycle": "neurodyn.analyses.phase_space.limit_cycles",
    "linear_cka": "neurodyn.analyses.activity.representations",
    "linear_memory_function": "neurodyn.analyses.activity.memory",
    "linear_response": "neurodyn.analyses.linear.transfer_functions",
    "linearise": "neurodyn.analyses.linear.linearisation",
    "lowrank_fixed_points": "neurodyn.analyses.theory.lowrank_mean_field",
    "lyapunov_exponent": "neurodyn.analyses.lyapunov.exponents",
    "lyapunov_spectrum": "neurodyn.analyses.lyapunov.exponents",
    "matrix_ranks": "neurodyn.analyses.activity.dimensions",
    "memory_capacity": "neurodyn.analyses.activity.memory",
    "network_timescales": "neurodyn.analyses.activity.timescale_fits",
    "noise_covariance": "neurodyn.analyses.linear.noise",
    "nullclines": "neurodyn.analyses.phase_space.phase_plane",
    "omega_all": "neurodyn.analyses.learning.forgetting",
    "participation_ratio": "neurodyn.analyses.activity.dimensions",
    "population_rate": "neurodyn.analyses.spikes.statistics",
    "power_spectrum": "neurodyn.analyses.linear.noise",
    "principal_angles": "neurodyn.analyses.activity.dimensions",
    "procrustes_distance": "neurodyn.analyses.activity.representations",
    "pseudospectrum": "neurodyn.analyses.linear.pseudospectra",
    "rate_spectrum": "neurodyn.analyses.spikes.synchrony_measures",
    "reduced_fixed_points": "neurodyn.analyses.theory.wilson_cowan_reduction",
    "representation_alignment": "neurodyn.analyses.activity.representations",
    "rsa": "neurodyn.analyses.activity.representations",
    "rsa_noise_ceiling": "neurodyn.analyses.activity.representations",
    "siegert_cv": "neurodyn.analyses.theory.siegert",
    "siegert_network": "neurodyn.analyses.theory.siegert_networks",
    "siegert_rate": "neurodyn.analyses.theory.siegert",
    "sign_similarity": "neurodyn.analyses.activity.representations",
    "slope_vertices": "neurodyn.analyses.contraction.theorems",
    "slow_points": "neurodyn.analyses.equilibria.search",
    "spike_trains": "neurodyn.recorded_spikes",
    "stability_gap": "neurodyn.analyses.learning.continual_evaluation",
    "switch_branch": "neurodyn.analyses.phase_space.continuation",
    "synchrony": "neurodyn.analyses.spikes.synchrony_measures",
    "tangent_kernel": "neurodyn.analyses.learning.tangent_kernels",
    "tangling": "neurodyn.analyses.activity.trajectories",
    "target_alignment": "neurodyn.analyses.learning.tangent_kernels",
    "trajectories_from": "neurodyn.analyses.phase_space.paths",
    "trajectory_geometry": "neurodyn.analyses.activity.trajectories",
    "transient_growth": "neurodyn.analyses.linear.transients",
    "weight_change": "neurodyn.analyses.learning.regimes",
    "wilson_cowan": "neurodyn.analyses.theory.wilson_cowan_reduction",
}

__all__ = list(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        from difflib import get_close_matches

        close = get_close_matches(name, _EXPORTS, n=1) if not name.startswith("_") else ()
        hint = f"; did you mean `{close[0]}`?" if close else ""
        raise AttributeError(f"module 'neurodyn.analyses' has no attribute {name!r}{hint}")
    value = getattr(import_module(_EXPORTS[name]), name)
    globals()[name] = value  # the next access does not come here
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_EXPORTS))
