"""From a folder of images to a trained network within a time budget: `python -m darts fit`."""
