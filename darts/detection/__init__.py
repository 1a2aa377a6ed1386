"""Object detection: an SSD on the feature maps of any model, with data in COCO's format."""
