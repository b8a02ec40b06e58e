"""Who is in the pool: lists taken in, one person in two lists, what is told of somebody, and the states of a membership."""
