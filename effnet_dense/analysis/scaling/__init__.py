"""Compound scaling at work: what each φ costs, which one fits a budget, and a search for α, β, γ.

The tables and rules themselves are in `effnet_dense.scaling`.
"""
