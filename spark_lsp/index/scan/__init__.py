"""Find the files of a workspace: folders, ignore rules, secrets, git and its history."""
