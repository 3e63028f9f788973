"""What is served of the call page: assets, bundles, content codings and schemas."""
