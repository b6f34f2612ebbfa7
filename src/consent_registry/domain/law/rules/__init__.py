"""Every rule, remark and finding of the registry as data: whose law it cites, what it asks for, and what to do."""
