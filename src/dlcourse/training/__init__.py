"""Lightning around any model: trainer, devices, checkpoints, precision."""
