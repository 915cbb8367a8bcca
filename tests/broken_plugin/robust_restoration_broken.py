"""A plugin that fails to import, as after an upgrade of something it needs."""

raise RuntimeError("this plugin was made for another version")
