"""Files that come in: read, judged, prepared in several processes, applied in one transaction."""
