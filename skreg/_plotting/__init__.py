"""Displays, drawn with matplotlib."""
