package accounts

import "context"

// MailKind says what a mail is about; text and layout follow from it.
type MailKind string

// The kinds of mail and the Data that each one reads, beside "name" (whom it
// greets; may be missing). "link" is a whole URL (Links.To), "code" what the
// person types instead, "when" an instant as Unix milliseconds in decimal.
const (
	MailVerifyAddress    MailKind = "verify_address"     // link, code, until
	MailResetPassword    MailKind = "reset_password"     // link, code, until
	MailCode             MailKind = "code"               // code, until, app
	MailInvitation       MailKind = "invitation"         // link, until, inviter
	MailAddressChanged   MailKind = "address_changed"    // link (undo), until, address (the new one), when; goes to the old address
	MailAddressReplaced  MailKind = "address_replaced"   // when; an operator did it; goes to the old address, which may be a stranger's by now: not told which is the new one
	MailPasswordChanged  MailKind = "password_changed"   // link (security page), when, device, address (network)
	MailFactorAdded      MailKind = "factor_added"       // link, factor (its name), when, device, address
	MailFactorRemoved    MailKind = "factor_removed"     // link, factor, when, device, address
	MailRecoveryCodesLow MailKind = "recovery_codes_low" // link, count
	MailNewDevice        MailKind = "new_device"         // link, when, device, address, app
	MailAccountExists    MailKind = "account_exists"     // link (sign-in), reset (link); sign-up with a known address
	MailResetUnknown     MailKind = "reset_unknown"      // reset asked for an address without an account: queued for equal work, not sent by default
	MailDeletionPlanned  MailKind = "deletion_planned"   // link, when (the day of the deletion)
	MailDeletionUndone   MailKind = "deletion_undone"    // link, when
	MailSecurityAlert    MailKind = "security_alert"     // link, when, device, address
)

// Mail is one message to one person, in words that the mail package chooses.
type Mail struct {
	Kind     MailKind
	To       string            // the address alone, without a name; empty for nobody
	Language string            // BCP 47, or empty for the deployment's own
	Data     map[string]string // holds secrets (link, code): kept sealed, never logged
}

// The keys of Mail.Data.
const (
	MailDataLink    = "link"
	MailDataReset   = "reset"
	MailDataCode    = "code"
	MailDataName    = "name"
	MailDataInviter = "inviter"
	MailDataFactor  = "factor"
	MailDataCount   = "count"
	MailDataWhen    = "when"    // Unix milliseconds
	MailDataUntil   = "until"   // Unix milliseconds; a mail not sent by then is thrown away
	MailDataDevice  = "device"  // in words: "Firefox on Linux"
	MailDataAddress = "address" // a network address, or the new mail address
	MailDataApp     = "app"
	MailDataZone    = "zone" // Profile.Zoneinfo, for the instants; UTC without
)

// Mailer takes mails in the transaction of their cause: the mail goes out if,
// and only if, the cause is committed, and nothing is sent in the request's way.
type Mailer interface {
	// Mail queues m. An error means that it is not queued, and undoes the cause. A
	// mail to nobody, or to what is no address, is dropped without one: who has no
	// mail must still be able to change their password.
	Mail(ctx context.Context, m Mail) error
}
