"""Analyses, one module per question.

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
    from neurodyn.analyses.basins_of_attraction import Attractor, Basins, basins
    from neurodyn.analyses.continual_evaluation import StabilityGap, stability_gap
    from neurodyn.analyses.continuation import (
        Bifurcation,
        Branch,
        continue_equilibria,
        switch_branch,
    )
    from neurodyn.analyses.contracting_assemblies import (
        AssemblyContraction,
        CombinationCoupling,
        assembly_contraction,
        combination_coupling,
    )
    from neurodyn.analyses.contraction_tests import (
        ContractionRate,
        contraction_metric,
        contraction_rate,
    )
    from neurodyn.analyses.contraction_theorems import (
        ContractionCondition,
        contraction_conditions,
        slope_vertices,
    )
    from neurodyn.analyses.covariant_vectors import CovariantVectors, covariant_lyapunov_vectors
    from neurodyn.analyses.dimensions import (
        Dimensionality,
        MatrixRanks,
        dimensionality,
        matrix_ranks,
        participation_ratio,
        principal_angles,
    )
    from neurodyn.analyses.dynamic_mean_fields import DynamicMeanField, dynamic_mean_field
    from neurodyn.analyses.equilibria import fixed_points, slow_points
    from neurodyn.analyses.fixed_point_record import FixedPoints, Modes
    from neurodyn.analyses.forgetting import ForgettingMetrics, forgetting_metrics, omega_all
    from neurodyn.analyses.learning_regimes import (
        LearningRegime,
        WeightChange,
        learning_regime,
        weight_change,
    )
    from neurodyn.analyses.limit_cycles import LimitCycle, limit_cycle
    from neurodyn.analyses.linear import Linearisation, linearise
    from neurodyn.analyses.linear_memory import (
        MemoryCapacity,
        linear_memory_function,
        memory_capacity,
    )
    from neurodyn.analyses.linear_noise import (
        NoiseCovariance,
        PowerSpectrum,
        lagged_covariance,
        noise_covariance,
        power_spectrum,
    )
    from neurodyn.analyses.lowrank_ensemble import (
        LowRankEnsemble,
        empirical_ensemble,
        gaussian_ensemble,
    )
    from neurodyn.analyses.lowrank_mean_field import (
        LowRankFixedPoints,
        effective_flow,
        lowrank_fixed_points,
    )
    from neurodyn.analyses.lyapunov import LyapunovSpectrum, lyapunov_exponent, lyapunov_spectrum
    from neurodyn.analyses.lyapunov_measures import entropy_rate, kaplan_yorke_dimension
    from neurodyn.analyses.paths import Trajectories, trajectories_from
    from neurodyn.analyses.phase_plane import (
        FlowField,
        Nullclines,
        flow_field,
        nullclines,
    )
    from neurodyn.analyses.pseudospectra import Pseudospectrum, pseudospectrum
    from neurodyn.analyses.representations import (
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
    from neurodyn.analyses.siegert import siegert_cv, siegert_rate
    from neurodyn.analyses.siegert_networks import (
        LIFPopulations,
        SiegertRates,
        lif_populations,
        siegert_network,
    )
    from neurodyn.analyses.spike_correlations import (
        autocorrelogram,
        count_correlation,
        count_correlation_matrix,
        cross_correlogram,
    )
    from neurodyn.analyses.spike_statistics import (
        fano_factors,
        firing_rates,
        interspike_intervals,
        interval_cv,
        interval_cv2,
        interval_lv,
        population_rate,
    )
    from neurodyn.analyses.spike_synchrony import chi_synchrony, rate_spectrum, synchrony
    from neurodyn.analyses.tangent_kernels import TangentKernel, tangent_kernel, target_alignment
    from neurodyn.analyses.theory_comparison import TheoryComparison, compare_with_theory
    from neurodyn.analyses.timescale_fits import (
        NetworkTimescales,
        TimescaleFit,
        autocorrelation_timescale,
        network_timescales,
    )
    from neurodyn.analyses.timescales import (
        Autocorrelation,
        autocorrelation,
        integrated_timescale,
        leak_timescale,
    )
    from neurodyn.analyses.trajectories import (
        Tangling,
        TrajectoryGeometry,
        tangling,
        trajectory_geometry,
    )
    from neurodyn.analyses.transfer_functions import LinearResponse, linear_response
    from neurodyn.analyses.transients import TransientGrowth, transient_growth
    from neurodyn.analyses.wilson_cowan_reduction import (
        PopulationReduction,
        ReducedFixedPoints,
        reduced_fixed_points,
        wilson_cowan,
    )
    from neurodyn.recorded_spikes import spike_trains
    from neurodyn.spike_trains import SpikeTrains

#: Where each public name lives.
_EXPORTS = {
    "AssemblyContraction": "neurodyn.analyses.contracting_assemblies",
    "Attractor": "neurodyn.analyses.basins_of_attraction",
    "Autocorrelation": "neurodyn.analyses.timescales",
    "Basins": "neurodyn.analyses.basins_of_attraction",
    "Bifurcation": "neurodyn.analyses.continuation",
    "Branch": "neurodyn.analyses.continuation",
    "CombinationCoupling": "neurodyn.analyses.contracting_assemblies",
    "ContractionCondition": "neurodyn.analyses.contraction_theorems",
    "ContractionRate": "neurodyn.analyses.contraction_tests",
    "CovariantVectors": "neurodyn.analyses.covariant_vectors",
    "Dimensionality": "neurodyn.analyses.dimensions",
    "DynamicMeanField": "neurodyn.analyses.dynamic_mean_fields",
    "FixedPoints": "neurodyn.analyses.fixed_point_record",
    "FlowField": "neurodyn.analyses.phase_plane",
    "ForgettingMetrics": "neurodyn.analyses.forgetting",
    "LIFPopulations": "neurodyn.analyses.siegert_networks",
    "LearningRegime": "neurodyn.analyses.learning_regimes",
    "LimitCycle": "neurodyn.analyses.limit_cycles",
    "LinearResponse": "neurodyn.analyses.transfer_functions",
    "Linearisation": "neurodyn.analyses.linear",
    "LowRankEnsemble": "neurodyn.analyses.lowrank_ensemble",
    "LowRankFixedPoints": "neurodyn.analyses.lowrank_mean_field",
    "LyapunovSpectrum": "neurodyn.analyses.lyapunov",
    "MatrixRanks": "neurodyn.analyses.dimensions",
    "MemoryCapacity": "neurodyn.analyses.linear_memory",
    "Modes": "neurodyn.analyses.fixed_point_record",
    "NetworkTimescales": "neurodyn.analyses.timescale_fits",
    "NoiseCeiling": "neurodyn.analyses.representations",
    "NoiseCovariance": "neurodyn.analyses.linear_noise",
    "Nullclines": "neurodyn.analyses.phase_plane",
    "PopulationReduction": "neurodyn.analyses.wilson_cowan_reduction",
    "PowerSpectrum": "neurodyn.analyses.linear_noise",
    "Pseudospectrum": "neurodyn.analyses.pseudospectra",
    "ReducedFixedPoints": "neurodyn.analyses.wilson_cowan_reduction",
    "SiegertRates": "neurodyn.analyses.siegert_networks",
    "SpikeTrains": "neurodyn.spike_trains",
    "StabilityGap": "neurodyn.analyses.continual_evaluation",
    "TangentKernel": "neurodyn.analyses.tangent_kernels",
    "Tangling": "neurodyn.analyses.trajectories",
    "TheoryComparison": "neurodyn.analyses.theory_comparison",
    "TimescaleFit": "neurodyn.analyses.timescale_fits",
    "Trajectories": "neurodyn.analyses.paths",
    "TrajectoryGeometry": "neurodyn.analyses.trajectories",
    "TransientGrowth": "neurodyn.analyses.transients",
    "WeightChange": "neurodyn.analyses.learning_regimes",
    "assembly_contraction": "neurodyn.analyses.contracting_assemblies",
    "autocorrelation": "neurodyn.analyses.timescales",
    "autocorrelation_timescale": "neurodyn.analyses.timescale_fits",
    "autocorrelogram": "neurodyn.analyses.spike_correlations",
    "basins": "neurodyn.analyses.basins_of_attraction",
    "chi_synchrony": "neurodyn.analyses.spike_synchrony",
    "cka": "neurodyn.analyses.representations",
    "combination_coupling": "neurodyn.analyses.contracting_assemblies",
    "compare_with_theory": "neurodyn.analyses.theory_comparison",
    "continue_equilibria": "neurodyn.analyses.continuation",
    "contraction_conditions": "neurodyn.analyses.contraction_theorems",
    "contraction_metric": "neurodyn.analyses.contraction_tests",
    "contraction_rate": "neurodyn.analyses.contraction_tests",
    "count_correlation": "neurodyn.analyses.spike_correlations",
    "count_correlation_matrix": "neurodyn.analyses.spike_correlations",
    "covariant_lyapunov_vectors": "neurodyn.analyses.covariant_vectors",
    "cross_correlogram": "neurodyn.analyses.spike_correlations",
    "dimensionality": "neurodyn.analyses.dimensions",
    "dissimilarity_matrix": "neurodyn.analyses.representations",
    "dynamic_mean_field": "neurodyn.analyses.dynamic_mean_fields",
    "effective_flow": "neurodyn.analyses.lowrank_mean_field",
    "empirical_ensemble": "neurodyn.analyses.lowrank_ensemble",
    "entropy_rate": "neurodyn.analyses.lyapunov_measures",
    "fano_factors": "neurodyn.analyses.spike_statistics",
    "firing_rates": "neurodyn.analyses.spike_statistics",
    "fixed_points": "neurodyn.analyses.equilibria",
    "flow_field": "neurodyn.analyses.phase_plane",
    "forgetting_metrics": "neurodyn.analyses.forgetting",
    "gaussian_ensemble": "neurodyn.analyses.lowrank_ensemble",
    "integrated_timescale": "neurodyn.analyses.timescales",
    "interspike_intervals": "neurodyn.analyses.spike_statistics",
    "interval_cv": "neurodyn.analyses.spike_statistics",
    "interval_cv2": "neurodyn.analyses.spike_statistics",
    "interval_lv": "neurodyn.analyses.spike_statistics",
    "kaplan_yorke_dimension": "neurodyn.analyses.lyapunov_measures",
    "kernel_alignment": "neurodyn.analyses.representations",
    "lagged_covariance": "neurodyn.analyses.linear_noise",
    "leak_timescale": "neurodyn.analyses.timescales",
    "learning_regime": "neurodyn.analyses.learning_regimes",
    "lif_populations": "neurodyn.analyses.siegert_networks",
    "limit_cycle": "neurodyn.analyses.limit_cycles",
    "linear_cka": "neurodyn.analyses.representations",
    "linear_memory_function": "neurodyn.analyses.linear_memory",
    "linear_response": "neurodyn.analyses.transfer_functions",
    "linearise": "neurodyn.analyses.linear",
    "lowrank_fixed_points": "neurodyn.analyses.lowrank_mean_field",
    "lyapunov_exponent": "neurodyn.analyses.lyapunov",
    "lyapunov_spectrum": "neurodyn.analyses.lyapunov",
    "matrix_ranks": "neurodyn.analyses.dimensions",
    "memory_capacity": "neurodyn.analyses.linear_memory",
    "network_timescales": "neurodyn.analyses.timescale_fits",
    "noise_covariance": "neurodyn.analyses.linear_noise",
    "nullclines": "neurodyn.analyses.phase_plane",
    "omega_all": "neurodyn.analyses.forgetting",
    "participation_ratio": "neurodyn.analyses.dimensions",
    "population_rate": "neurodyn.analyses.spike_statistics",
    "power_spectrum": "neurodyn.analyses.linear_noise",
    "principal_angles": "neurodyn.analyses.dimensions",
    "procrustes_distance": "neurodyn.analyses.representations",
    "pseudospectrum": "neurodyn.analyses.pseudospectra",
    "rate_spectrum": "neurodyn.analyses.spike_synchrony",
    "reduced_fixed_points": "neurodyn.analyses.wilson_cowan_reduction",
    "representation_alignment": "neurodyn.analyses.representations",
    "rsa": "neurodyn.analyses.representations",
    "rsa_noise_ceiling": "neurodyn.analyses.representations",
    "siegert_cv": "neurodyn.analyses.siegert",
    "siegert_network": "neurodyn.analyses.siegert_networks",
    "siegert_rate": "neurodyn.analyses.siegert",
    "sign_similarity": "neurodyn.analyses.representations",
    "slope_vertices": "neurodyn.analyses.contraction_theorems",
    "slow_points": "neurodyn.analyses.equilibria",
    "spike_trains": "neurodyn.recorded_spikes",
    "stability_gap": "neurodyn.analyses.continual_evaluation",
    "switch_branch": "neurodyn.analyses.continuation",
    "synchrony": "neurodyn.analyses.spike_synchrony",
    "tangent_kernel": "neurodyn.analyses.tangent_kernels",
    "tangling": "neurodyn.analyses.trajectories",
    "target_alignment": "neurodyn.analyses.tangent_kernels",
    "trajectories_from": "neurodyn.analyses.paths",
    "trajectory_geometry": "neurodyn.analyses.trajectories",
    "transient_growth": "neurodyn.analyses.transients",
    "weight_change": "neurodyn.analyses.learning_regimes",
    "wilson_cowan": "neurodyn.analyses.wilson_cowan_reduction",
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
