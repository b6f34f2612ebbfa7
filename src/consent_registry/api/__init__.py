"""The partners' interface: JSON over HTTP."""
