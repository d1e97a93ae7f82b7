"""The commands as plain functions."""
