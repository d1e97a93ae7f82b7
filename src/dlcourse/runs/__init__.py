"""One run on disk: its files, result, config and figures."""
