"""The call page as it is served: assets, bundles, content codings, and the schemas of the protocol."""
