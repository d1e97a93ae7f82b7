"""Clock images, and times as targets."""
