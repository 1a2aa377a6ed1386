"""What a network learns from labels: one class for each image, or any number of them."""
