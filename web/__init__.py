"""The call page: static files, and the Python that runs in the browser."""
