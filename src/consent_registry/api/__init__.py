"""The partners' door: JSON over HTTP."""
