"""Which data: one file each."""
