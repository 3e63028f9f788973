"""Remote control of this computer by a viewer of its shared screen. See docs/remote-control.md."""
