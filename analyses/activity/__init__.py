"""What recorded activity shows: timescales, memory, dimensions, representations, geometry."""
