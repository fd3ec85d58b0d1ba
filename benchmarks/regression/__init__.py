"""What a change of hlsgen's code changes in the designs that it makes."""
