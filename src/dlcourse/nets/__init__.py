"""Nets: plain nn.Modules that know nothing of Lightning, Hydra or data sets.

Every net takes `in_shape` (channels, height, width) and `outputs`, the sizes of the heads it is read by, then its own
options; it maps scaled pictures [N, C, H, W] to numbers [N, sum(outputs)].
"""
