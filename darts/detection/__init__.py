"""Detection: an SSD on the feature maps of any model here, trained and judged on COCO's format."""
