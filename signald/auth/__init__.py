"""Authorization: tokens, the webhook, passwords, and the chain that decides."""
