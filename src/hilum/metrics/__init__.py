"""How good: arrays and texts in, numbers out. Pure functions; NumPy alone, but for ranking curves."""
