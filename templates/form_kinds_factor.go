package templates

// factorKinds are the forms of second factors.
func factorKinds() []FormKind { return nil }
