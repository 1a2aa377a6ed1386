"""What makes one search method differ from another, as composable parts."""
