package templates

// selfKinds are the forms of a person's own pages.
func selfKinds() []FormKind {
	page := Form{Action: "/account/profile", Flow: "f", Page: Page{Account: &AccountNav{Active: "profile", Base: "/account/"}}}
	with := func(inputs ...Input) Form {
		p := page
		p.Inputs = inputs
		return p
	}
	optional := func(name, value string) Input { return Input{Name: name, Value: value, Optional: true} }
	profile := with(
		optional("name", "Ada Lovelace"), optional("given_name", "Ada"), optional("middle_name", ""), optional("family_name", "Lovelace"),
		optional("nickname", ""), Input{Name: "birthdate", Value: "1815-12-10", Optional: true, Hint: "birthdate"}, optional("gender", ""),
		Input{Name: "phone_number", Value: "+441234567", Optional: true, Hint: "phone_number"}, optional("website", "https://example.org"),
		optional("profile", ""), optional("street_address", "12 St James's Square"), optional("postal_code", ""), optional("locality", "London"),
		optional("region", ""), optional("country", ""),
		Input{Name: "locale", Value: "en", Optional: true, Hint: "locale", Choices: []Choice{{Key: "choice.none"}, {Value: "en", Text: "English"}}},
		Input{Name: "zoneinfo", Optional: true, Choices: []Choice{{Key: "choice.none"}, {Value: "Europe/London", Text: "Europe/London"}}},
	)
	deleted := page
	deleted.Action, deleted.About = "", "2026-12-07"
	keep := page
	keep.About = "2026-12-07"
	remove := page
	remove.Danger = true
	doomed := with(Input{Name: "confirmation"})
	doomed.About, doomed.Danger = "ada", true
	return []FormKind{
		{
			Name: "profile", Sample: profile, Goods: []string{"saved"}, Links: []string{"picture", "seen"},
			Problems: []string{"birthdate", "birthdate_future", "invisible", "locale", "phone_number", "too_long", "url", "zoneinfo"},
		},
		{
			Name: "picture", Sample: with(Input{Name: "picture"}), Goods: []string{"picture", "picture_removed"}, Links: []string{"picture_remove", "profile"},
			Problems: []string{"picture", "picture_busy", "picture_missing", "picture_often", "picture_size"},
		},
		{Name: "picture_remove", Sample: remove, Links: []string{"profile"}},
		{Name: "report", Sample: page, Links: []string{"security", "apps"}},
		{Name: "data", Sample: page, Links: []string{"delete_account"}},
		{Name: "delete_account", Sample: doomed, Problems: []string{"username_typed", "last_superuser"}},
		{Name: "keep_account", Sample: keep, Links: []string{"keep_account_leave"}},
		{Name: "deletion_planned", Sample: deleted, Links: []string{"sign_in_again"}},
	}
}
