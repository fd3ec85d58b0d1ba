"""What a kernel consists of: units, on-chip memories, latencies."""
