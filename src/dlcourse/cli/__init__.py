"""From the command line to a config."""
