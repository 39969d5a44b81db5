"""The command line: a file per command, what they share, and `effnet-dense` itself.

A command has a docstring, which is its help, `parser(prog)` and `main(args)`. No file here imports
torch, mmengine or numpy before `main` runs, so that help and completion are fast.
"""
