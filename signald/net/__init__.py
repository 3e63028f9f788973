"""Network addresses, origins, proxies, PEM files and an HTTP client: code that knows nothing of signaling."""
