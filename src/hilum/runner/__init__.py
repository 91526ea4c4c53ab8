"""Any items through any picklable worker, in parts that survive a kill. Knows no labels."""
