package templates

// entranceKinds are the forms of sign-up, verification, reset and first run.
func entranceKinds() []FormKind {
	const mail = "ada@example.org"
	username := Input{Name: "username", Value: "ada", Hint: "username"}
	fixed := Input{Name: "username", Value: "ada", ReadOnly: true}
	name := Input{Name: "name", Value: "Ada Lovelace", Optional: true}
	fresh := Input{Name: "new_password", MinLength: 8, Hint: "new_password"}
	code := []Input{{Name: "code"}}
	waits := []string{"wait_minutes", "wait_seconds"}
	names := append([]string{"username_invalid", "username_taken", "name_invalid", "email_taken", "new_password_invalid"}, waits...)
	names = append(names, passwordProblems()...)
	codes := append([]string{"code_wrong"}, waits...)
	list := []FormKind{
		{
			Name:     "signup",
			Sample:   Form{Inputs: []Input{{Name: "email", Value: mail}, username, name, fresh}, Action: "/signup", Flow: "f"},
			Problems: append([]string{"email_invalid", "email_domain"}, names...), Links: []string{"sign_in"},
		},
		{
			Name:     "signup_code",
			Sample:   Form{About: mail, Inputs: code, Action: "/signup/confirm", Flow: "f"},
			Problems: codes, Links: []string{"begin_again"},
		},
		{
			Name:     "signup_confirm",
			Sample:   Form{About: mail, Inputs: []Input{fixed}, Action: "/signup/confirm", Flow: "f"},
			Problems: names,
		},
		{
			Name:     "signup_elsewhere",
			Sample:   Form{About: mail, Inputs: []Input{fixed, {Name: "password"}}, Action: "/signup/confirm", Flow: "f"},
			Problems: append([]string{"password_wrong"}, names...),
		},
		{
			Name:     "signup_name",
			Sample:   Form{About: mail, Inputs: []Input{username}, Action: "/signup/confirm", Flow: "f"},
			Problems: append([]string{"password_wrong"}, names...),
		},
		{Name: "signup_closed", Links: []string{"sign_in"}},
		{
			Name:     "invitation",
			Sample:   Form{About: mail, Inputs: []Input{username, name, fresh}, Action: "/invitation", Flow: "f"},
			Problems: names,
		},
		{
			Name:     "setup",
			Sample:   Form{Inputs: []Input{{Name: "token", Hint: "setup_token"}, username, {Name: "email", Optional: true}, name, fresh}, Action: "/setup", Flow: "f"},
			Problems: append([]string{"token_wrong", "email_invalid"}, names...),
		},
		{Name: "proof_void", Links: []string{"begin_again", "sign_in"}},
	}
	list = append(list, resetKinds(mail, code, fixed, fresh, codes, waits)...)
	return append(list, addressKinds(mail, code, codes, waits)...)
}

// resetKinds are the forms of passwords, and of sign-in by mail.
func resetKinds(mail string, code []Input, fixed, fresh Input, codes, waits []string) []FormKind {
	again := []string{"begin_again", "sign_in"}
	return []FormKind{
		{
			Name:     "reset",
			Sample:   Form{Inputs: []Input{{Name: "email", Value: mail}}, Action: "/reset", Flow: "f"},
			Problems: append([]string{"email_invalid"}, waits...), Links: []string{"sign_in"},
		},
		{
			Name:     "reset_code",
			Sample:   Form{About: mail, Inputs: code, Action: "/reset/confirm", Flow: "f"},
			Problems: codes, Links: []string{"begin_again"},
		},
		{
			Name:     "reset_password",
			Sample:   Form{About: "ada", Inputs: []Input{fixed, fresh}, Action: "/reset/password", Flow: "f"},
			Problems: append([]string{"new_password_invalid"}, passwordProblems()...),
		},
		{Name: "reset_done", Links: []string{"sign_in"}},
		{
			Name:     "signin_mail",
			Sample:   Form{Inputs: []Input{{Name: "email", Value: mail}}, Action: "/signin/code", Flow: "f"},
			Problems: append([]string{"email_invalid"}, waits...), Links: []string{"sign_in"},
		},
		{
			Name:     "signin_code",
			Sample:   Form{About: mail, Inputs: code, Action: "/signin/code", Flow: "f"},
			Problems: codes, Links: again,
		},
		{Name: "signin_link", Sample: Form{About: "ada", Action: "/signin/code", Flow: "f"}},
		{
			Name:     "password",
			Sample:   Form{Inputs: []Input{fixed, fresh}, Action: "/account/password", Flow: "f"},
			Problems: append([]string{"new_password_invalid"}, passwordProblems()...), Links: []string{"account"},
		},
		{Name: "password_done", Links: []string{"account"}},
	}
}

// addressKinds are the forms of the address of an account, and of the terms.
func addressKinds(mail string, code []Input, codes, waits []string) []FormKind {
	return []FormKind{
		{
			Name:     "verify",
			Sample:   Form{About: mail, Action: "/verify-email", Flow: "f"},
			Problems: waits, Links: []string{"other_email"},
		},
		{
			Name:     "verify_code",
			Sample:   Form{About: mail, Inputs: code, Action: "/verify-email", Flow: "f"},
			Problems: append([]string{"email_taken"}, codes...), Links: []string{"begin_again", "other_email"},
		},
		{
			Name:     "verify_link",
			Sample:   Form{About: mail, Action: "/verify-email", Flow: "f"},
			Problems: []string{"email_taken"},
		},
		{
			Name:     "email",
			Sample:   Form{About: mail, Inputs: []Input{{Name: "new_email"}}, Action: "/account/email", Flow: "f"},
			Problems: append([]string{"new_email_invalid", "new_email_taken"}, waits...), Links: []string{"account"},
		},
		{
			Name:     "email_code",
			Sample:   Form{About: mail, Inputs: code, Action: "/email/confirm", Flow: "f"},
			Problems: append([]string{"email_taken"}, codes...), Links: []string{"begin_again"},
		},
		{
			Name:     "email_link",
			Sample:   Form{About: mail, Action: "/email/confirm", Flow: "f"},
			Problems: []string{"email_taken"},
		},
		{
			Name:     "email_undo",
			Sample:   Form{About: mail, Danger: true, Action: "/email/undo", Flow: "f"},
			Problems: []string{"email_taken"},
		},
		{Name: "email_undone", Links: []string{"reset"}},
		{
			Name:     "terms",
			Sample:   Form{Inputs: []Input{{Name: "terms"}}, Action: "/terms", Flow: "f"},
			Problems: []string{"terms_missing"}, Links: []string{"terms", "sign_out"},
		},
	}
}

// passwordProblems are why a new password is refused (accounts.PasswordReasons).
func passwordProblems() []string {
	return []string{
		"password_short", "password_long", "password_blank", "password_name", "password_common", "password_repeats",
		"password_sequence", "password_keyboard", "password_guessable", "password_breached", "password_same",
	}
}
