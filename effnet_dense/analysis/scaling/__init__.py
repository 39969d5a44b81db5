"""Apply compound scaling: the cost of each φ, the largest φ within a budget, a search for α, β, γ.

The papers' tables and rules are in `effnet_dense.scaling`.
"""
