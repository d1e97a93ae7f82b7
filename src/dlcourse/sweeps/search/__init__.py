"""`train -m search=NAME`: values chosen by validation, one trial after the other."""
