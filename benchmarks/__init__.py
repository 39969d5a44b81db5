"""Ours and the installed peers side by side: memory, speed and sizes on the same input."""
