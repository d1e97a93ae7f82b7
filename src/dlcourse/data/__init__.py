"""Data sets: arrays in memory, batches on the device."""
