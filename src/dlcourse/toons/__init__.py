"""Cartoon faces, drawn by us."""
