"""Files of the archive that `hlsgen deploy` makes."""
