"""Compare this package's networks with installed peers: memory, speed and size on the same input.

Not part of the wheel. `README.md` describes the commands and tables.
"""
