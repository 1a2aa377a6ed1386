"""AnyNet, RegNet, ResNet and ResNeXt: configs, networks, costs and published models."""
