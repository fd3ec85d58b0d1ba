"""Plans folded designs: engines that many layers share."""
