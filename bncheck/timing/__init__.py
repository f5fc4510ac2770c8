"""What a check costs, beside others: each in a process of its own, in turn with bncheck's check."""
