"""Small functions that every subpackage may use: files, tables, progress bars, versions.

Nothing here imports another part of the package.
"""
