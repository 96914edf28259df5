"""The neutral language between the two systems, and the mapping from and to each side."""
