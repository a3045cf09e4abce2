"""How fast nearby trajectories part: Lyapunov exponents, covariant vectors, dimension, entropy."""
