"""Many runs: jobs, grid, search, summary."""
