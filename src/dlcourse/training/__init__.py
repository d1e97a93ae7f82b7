"""What Lightning needs around any model: trainer, devices, checkpoints, precision."""
