"""What the commands do, from Python. Modules are loaded on first use: some need no framework."""
