"""Distilling a user's own model: teachers and data from anywhere, a search, a verdict, a student to ship."""
