"""The expert registry: one pool of two bureaus, recusal with its evidence, and draws anyone can check."""
