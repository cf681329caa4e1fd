"""Tables: checked numbers become padded float32 rows. NumPy and SciPy only."""
