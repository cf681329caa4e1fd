"""Displays of searches and of training, drawn with matplotlib."""
