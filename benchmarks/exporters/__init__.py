"""What three exporters make of forty patterns of networks, and what hlsgen makes of that."""
