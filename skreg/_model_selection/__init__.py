"""Tuning inside `fit`: candidates, folds, scores, halving, the winner."""
