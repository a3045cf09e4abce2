"""What a system does near a point: modes, noise, responses, transients, pseudospectra."""
