"""The project's own people."""
