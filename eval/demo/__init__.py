"""The whole job on built-in synthetic pedestrians, without a network."""
