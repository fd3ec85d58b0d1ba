"""One network over several boards: which layers on which board, the designs, how fast they are
together."""
