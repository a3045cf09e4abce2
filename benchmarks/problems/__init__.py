"""What all tools solve: `rate` for networks without spikes, `spiking` for those with."""
