"""Run exported models: the metadata in their files, and sessions of other runtimes."""
