"""From the command line to a composed config."""
