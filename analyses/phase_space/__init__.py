"""The phase space as a whole: flow, nullclines, branches, bifurcations, cycles, basins."""
