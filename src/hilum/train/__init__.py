"""Training: data, losses, one loop that can be stopped and goes on."""
