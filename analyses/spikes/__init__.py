"""Statistics of spike trains: rates, intervals, counts, correlations, synchrony."""
