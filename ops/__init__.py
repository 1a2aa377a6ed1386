"""What an edge can do: candidate operations, their fused forms, and partial channels."""
