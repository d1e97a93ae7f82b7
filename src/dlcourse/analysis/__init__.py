"""What outputs and latents say: classification, distances, reduction, fidelity, robustness."""
