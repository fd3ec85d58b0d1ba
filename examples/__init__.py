"""Examples: trained networks and pictures from packages of the index, and the demo."""
