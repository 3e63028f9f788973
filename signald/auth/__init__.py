"""Authorization: tokens, the operator's webhook, session passwords, and the chain that they form."""
