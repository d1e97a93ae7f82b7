"""Nets: plain nn.Modules, independent of Lightning, Hydra and data sets.

A net for classes or times takes `in_shape` (channels, height, width) and `outputs`, the sizes of its heads, then its
own options; it maps scaled images [N, C, H, W] to numbers [N, sum(outputs)]. The others say in their docstrings what
they take and return.
"""
