"""How fast dlcourse is, as ratios against what a user would otherwise run: `python -m benchmarks`."""
