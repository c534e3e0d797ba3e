"""Which files a workspace has: folders, ignore rules, secrets, git and its history."""
