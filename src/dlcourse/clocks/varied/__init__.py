"""Clocks of all kinds, anywhere in a colour picture: `data=clocks data/scene=any`."""
