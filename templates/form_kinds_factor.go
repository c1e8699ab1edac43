package templates

// factorKinds are the forms of second factors.
func factorKinds() []FormKind {
	back := []string{"factors"}
	return []FormKind{
		{
			Name:     "factor_name",
			Sample:   Form{About: "Phone", Inputs: []Input{{Name: "factor_name", Value: "Phone"}}, Action: "/account/factors/name", Flow: "f"},
			Problems: []string{"factor_name"}, Links: back,
		},
		{
			Name:   "factor_remove",
			Sample: Form{About: "Phone", Danger: true, Action: "/account/factors/remove", Flow: "f"},
			Links:  back,
		},
		{
			Name:   "recovery_new",
			Sample: Form{Action: "/account/factors/recovery", Flow: "f"},
			Links:  back,
		},
	}
}
