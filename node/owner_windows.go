package node

// ownDir does not check: temporary directories belong to one user here.
func ownDir(string) error { return nil }
