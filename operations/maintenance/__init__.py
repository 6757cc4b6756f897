"""The six cleanups and their schedule."""
