package templates

// selfKinds are the forms of a person's own pages.
func selfKinds() []FormKind { return nil }
