"""Analysis of outputs and latents: classification, distances, reduction, fidelity, robustness."""
