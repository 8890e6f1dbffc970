"""One module for each physical cause. Each defines ``CORRUPTIONS``, which the registry finds by itself."""
