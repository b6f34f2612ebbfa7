"""A second opinion on decisions and statuses, written from the contract alone and sharing no code with the product."""
