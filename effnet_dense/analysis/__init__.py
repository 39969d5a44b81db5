"""Measure networks: parameters, FLOPs, saved memory, latency; predict memory; scale networks."""
