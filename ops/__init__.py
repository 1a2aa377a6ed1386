"""Operations of an edge or a block: candidates, their fused forms, and partial channels."""
