"""What learning changed: regime, tangent kernel, alignment, forgetting."""
