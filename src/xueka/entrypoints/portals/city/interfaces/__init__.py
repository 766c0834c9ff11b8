"""The interfaces to other platforms, as their operator sees them: standing, messages, replay, differences."""
