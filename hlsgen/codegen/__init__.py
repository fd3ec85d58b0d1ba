"""From a plan to a design directory."""
