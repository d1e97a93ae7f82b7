"""Clock pictures, and times as targets."""
