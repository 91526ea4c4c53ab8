"""Files of images to arrays, and what is done to them before a model sees them."""
