"""Whether all trajectories come together: contraction rates, metrics, theorems, assemblies."""
