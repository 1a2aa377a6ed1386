"""AnyNet, RegNet and ResNe(X)t: configs, networks, costs and published models."""
