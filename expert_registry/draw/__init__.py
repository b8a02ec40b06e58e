"""The draw ``draw/1``, from a request to a file anyone can check, and the desk that walks it step by step."""
