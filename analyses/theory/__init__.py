"""What theory predicts of a circuit: mean fields, Siegert rates, reductions, beside simulation."""
