"""Training measured: accuracy with and without pipeline, speed, memory, and what more workers would
bring."""
