"""When two strings are the same, alike, or must not be taken for each other."""
