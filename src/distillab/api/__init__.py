"""The Python interface: everything that a command does, a call does."""
