"""Estimators in the words of scikit-learn: checks, one fit, classifier and regressor."""
