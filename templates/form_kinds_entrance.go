package templates

// entranceKinds are the forms of sign-up, verification, reset and first run.
func entranceKinds() []FormKind { return nil }
