"""Measure on a GPU, in half an hour, what no other machine can show."""
