package templates

// mailForm is what a kind of mail holds beside its subject, preheader, text and
// outro.
type mailForm struct {
	kind string
	// greets says that the mail goes to somebody who has proven the address, so
	// that it may carry their name. Others would let a stranger write to whomever
	// they like by signing up under a name that is an advertisement.
	greets bool
	button mailPart // "link" of the data, with the text mail.<kind>.button
	code   mailPart // "code" of the data, below the text mail.<kind>.code
	second bool     // "reset" of the data, below the text mail.<kind>.second
	// facts are data shown in a list, each under mail.fact.<name>. What is missing
	// is left out. "new_address" is the datum "address" of a mail about one.
	facts []string
}

// mailPart says whether a mail has a part.
type mailPart int

const (
	without mailPart = iota
	ifGiven          // left out when its data are missing
	always           // an error when its data are missing
)

// where are the facts that let a person recognise what they did themselves.
func where(more ...string) []string { return append(more, "when", "device", "address") }

func mailForms() []mailForm {
	return []mailForm{
		{kind: "verify_address", button: always, code: ifGiven, facts: []string{"app"}},
		{kind: "reset_password", greets: true, button: always, code: ifGiven},
		{kind: "code", greets: true, code: always, facts: []string{"app"}},
		{kind: "invitation", button: always, facts: []string{"inviter"}},
		{kind: "address_changed", greets: true, button: always, facts: []string{"new_address", "when"}},
		{kind: "address_replaced", greets: true, facts: []string{"when"}},
		{kind: "password_changed", greets: true, button: ifGiven, facts: where()},
		{kind: "factor_added", greets: true, button: ifGiven, facts: where("factor")},
		{kind: "factor_removed", greets: true, button: ifGiven, facts: where("factor")},
		{kind: "recovery_codes_low", greets: true, button: ifGiven},
		{kind: "new_device", greets: true, button: ifGiven, facts: where("app")},
		{kind: "account_exists", greets: true, button: ifGiven, second: true},
		{kind: "reset_unknown"},
		{kind: "deletion_planned", greets: true, button: ifGiven, facts: []string{"when"}},
		{kind: "deletion_undone", greets: true, button: ifGiven, facts: []string{"when"}},
		{kind: "security_alert", greets: true, button: ifGiven, facts: where()},
		{kind: "test"},
	}
}

// MailKinds lists the kinds of mails that Write knows. All but "test", which shows
// an operator that mails arrive, are told to people.
func MailKinds() []string {
	var kinds []string
	for _, f := range mailForms() {
		kinds = append(kinds, f.kind)
	}
	return kinds
}

// mailKeys are the messages that mails and the page of the mailbox are made of.
func mailKeys() []string {
	keys := []string{"mail.footer", "mail.greeting", "mail.greeting_name", "mail.link", "mail.time", "mail.until"}
	for _, name := range []string{"back", "empty", "from", "html", "lead", "links", "sent", "subject", "title", "to"} {
		keys = append(keys, "mailbox."+name)
	}
	seen := map[string]bool{}
	for _, f := range mailForms() {
		parts := []string{"subject", "preheader", "text", "outro"}
		if f.button != without {
			parts = append(parts, "button")
		}
		if f.code != without {
			parts = append(parts, "code")
		}
		if f.second {
			parts = append(parts, "second")
		}
		for _, part := range parts {
			keys = append(keys, "mail."+f.kind+"."+part)
		}
		for _, fact := range f.facts {
			if !seen[fact] {
				keys = append(keys, "mail.fact."+fact)
			}
			seen[fact] = true
		}
	}
	return keys
}
