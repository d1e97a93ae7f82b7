"""Rendered cartoon faces."""
