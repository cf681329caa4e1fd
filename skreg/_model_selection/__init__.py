"""Tuning inside `fit`: candidates, folds, scores, halving and the winner."""
