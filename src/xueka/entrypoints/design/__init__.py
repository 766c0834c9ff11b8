"""Base templates, components, styles and scripts that every page stands on."""
