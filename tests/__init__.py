"""The tests, in folders by kind; what they share is in `tests/support`."""
