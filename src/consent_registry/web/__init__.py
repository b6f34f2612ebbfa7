"""What every door over HTTP shares: bodies, queries, callers, problems, the request log and the frame of a page."""
