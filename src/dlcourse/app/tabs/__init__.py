"""The tabs of the page: layout and events; what they show is computed by the modules of the same names."""
