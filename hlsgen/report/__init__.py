"""What a design is predicted to cost and to reach, as data, and as a page."""
