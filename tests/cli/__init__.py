"""The command line, from a user's chair."""
