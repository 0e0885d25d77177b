"""Charts as SVG and pictures as PNG, for pages."""
