"""Small functions that every room may use: files, tables, progress bars, versions.

Nothing here imports another part of the package.
"""
