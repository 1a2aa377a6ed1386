"""Data sets by name, splits, batches and augmentation on the device."""
