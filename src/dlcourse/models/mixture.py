"""A mixture of normal distributions, fitted to the latents of an autoencoder to draw new ones."""

import warnings

import torch
from torch import Tensor, nn

FLOOR = 1e-3  # added to the variances, so that a component of a few points keeps a width


class Mixture(nn.Module):
    """Normal distributions with full covariances and weights; N(0, 1) until it is fitted.

    Latents of images fall into groups, such as one for each hairstyle, which a single normal distribution cannot
    represent (Ghosh et al., 2019, arXiv:1903.12436).

    Args:
        length: L, of the vectors.
        components: K, the number of distributions.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, length: int, components: int = 16):
        super().__init__()
        self.register_buffer("weights", torch.full((components,), 1 / components))
        self.register_buffer("means", torch.zeros(components, length))
        self.register_buffer("factors", torch.eye(length).repeat(components, 1, 1))  # of the covariances, by Cholesky

    def fit(self, z: Tensor, seed: int) -> None:
        """Fit all parameters to vectors [N, L] by expectation maximisation, on the CPU.

        Args:
            z: the vectors; with fewer than two for each component nothing changes.
            seed: of the first guess.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        if len(z) < 2 * len(self.weights):
            return
        found = GaussianMixture(len(self.weights), reg_covar=FLOOR, max_iter=30, tol=0.01, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a few more iterations change little
            found.fit(z.double().cpu().numpy())
        self.weights.copy_(torch.from_numpy(found.weights_))
        self.means.copy_(torch.from_numpy(found.means_))
        self.factors.copy_(torch.linalg.cholesky(torch.from_numpy(found.covariances_)))

    def forward(self, noise: Tensor, generator: torch.Generator) -> Tensor:
        """Vectors [N, L] of the mixture from N(0, 1) noise of that shape; the generator chooses the components."""
        chosen = torch.multinomial(self.weights.to(generator.device), len(noise), True, generator=generator)
        chosen = chosen.to(noise.device)
        return self.means[chosen] + (self.factors[chosen] @ noise[:, :, None])[:, :, 0]
