package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

type userCommand struct {
	Create       userCreate       `cmd:"" help:"Make an account."`
	Invite       userInvite       `cmd:"" help:"Invite somebody by mail to make an account."`
	Invitations  userInvitations  `cmd:"" help:"List invitations that nobody has accepted."`
	Uninvite     userUninvite     `cmd:"" help:"Withdraw an invitation."`
	Import       userImport       `cmd:"" help:"Take over accounts, with their passwords, from a file of JSON Lines."`
	List         userList         `cmd:"" help:"List accounts."`
	Show         userShow         `cmd:"" help:"Show an account."`
	Ban          userBan          `cmd:"" help:"Block an account; all its sessions, grants and tokens end."`
	Unban        userUnban        `cmd:"" help:"Let a blocked account sign in again."`
	SetPassword  userSetPassword  `cmd:"" help:"Give an account another password; all its sessions end."`
	ResetFactors userResetFactors `cmd:"" help:"Take passkeys, authenticator apps and recovery codes from an account whose owner has lost them."`
	SignInLink   userSignInLink   `cmd:"" help:"Make a link by which a locked-out owner signs in once."`
	Delete       userDelete       `cmd:"" help:"Remove an account, at once or after a time to think."`
	Require      userRequire      `cmd:"" help:"Ask somebody to do something before anything else."`
	Undelete     userUndelete     `cmd:"" help:"Keep an account that was to be removed."`
	Superuser    userSuperuser    `cmd:"" help:"Give an account every permission, or take that away."`
	Staff        userStaff        `cmd:"" help:"Let an account enter the console, or no longer."`
}

// whom names a user on the command line.
type whom struct {
	User string `name:"user" required:"" placeholder:"U" help:"Username, verified mail address, or sub."`
}

func (u whom) find(ctx context.Context, d *domain) (*accounts.User, error) {
	found, err := d.users.Find(ctx, u.User)
	if errors.Is(err, accounts.ErrNotFound) {
		return nil, fmt.Errorf("there is no user %q", u.User)
	}
	return found, err
}

// password is read from where no other user of the machine sees it.
type passwordSource struct {
	Stdin bool   `name:"password-stdin" xor:"password" help:"Read the password from standard input."`
	File  string `name:"password-file" xor:"password" placeholder:"FILE" help:"Read the password from a file."`
}

// maxPasswordInput bounds what is read; the domain has its own, lower limit.
const maxPasswordInput = 64 << 10

// read returns the password without the line's end, empty if none was given.
func (p passwordSource) read(c *call) (secret.Text, error) {
	in := c.stdin
	switch {
	case p.File != "":
		f, err := os.Open(p.File)
		if err != nil {
			return "", fmt.Errorf("password: %w", err)
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	case !p.Stdin:
		return "", nil
	}
	text, err := io.ReadAll(io.LimitReader(in, maxPasswordInput))
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if password == "" {
		return "", errors.New("the password is empty")
	}
	return secret.Text(password), nil
}

// userAnswer is a user as commands tell of one.
type userAnswer struct {
	Subject       string   `json:"sub"`
	Username      string   `json:"username"`
	Email         string   `json:"email,omitempty"`
	EmailVerified bool     `json:"email_verified,omitempty"`
	Name          string   `json:"name,omitempty"`
	Staff         bool     `json:"staff"`
	Superuser     bool     `json:"superuser"`
	Banned        bool     `json:"banned"`
	Password      bool     `json:"has_password"`
	CreatedAt     string   `json:"created_at"`
	LastSignInAt  string   `json:"last_sign_in_at,omitempty"`
	DeleteAt      string   `json:"delete_at,omitempty"`
	Groups        []string `json:"groups,omitempty"`
}

func userAnswerOf(u *accounts.User) userAnswer {
	return userAnswer{
		Subject: u.Subject, Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified, Name: u.Name,
		Staff: u.Staff, Superuser: u.Superuser, Banned: !u.Active(), Password: u.PasswordHash != "",
		CreatedAt: when(u.CreatedAt), LastSignInAt: when(u.LastSignInAt),
		DeleteAt: when(u.DeleteAt),
	}
}

// kinds are the words that set an account apart.
func (u userAnswer) kinds() string {
	return strings.Join(strings.Fields(mark(u.Superuser, "superuser")+" "+mark(u.Staff, "staff")+" "+mark(u.Banned, "banned")), " ")
}

type userCreate struct {
	Username       string `required:"" help:"Name to sign in with; holds no @."`
	Email          string `help:"Mail address."`
	EmailVerified  bool   `name:"email-verified" help:"You know that the address is theirs: they can sign in with it."`
	Name           string `help:"Full name."`
	Superuser      bool   `help:"Holds every permission."`
	Staff          bool   `help:"May enter the console."`
	passwordSource `embed:""`
}

// Run makes an account.
func (u *userCreate) Run(c *call) error {
	password, err := u.read(c)
	if err != nil {
		return err
	}
	return c.with(true, func(ctx context.Context, d *domain, by audit.Actor) error {
		made, err := d.users.Create(ctx, by, accounts.NewUser{
			Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified, Name: u.Name,
			Password: password, Staff: u.Staff, Superuser: u.Superuser,
		})
		if errors.Is(err, accounts.ErrConflict) {
			return fmt.Errorf("the username %q or the mail address is taken", u.Username)
		}
		if err != nil {
			return err
		}
		if password == "" {
			c.note("%s has no password yet: gatehouse user set-password --user %s --password-stdin", made.Username, made.Username)
		}
		return c.answer(userAnswerOf(made), func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "user %s created, sub %s\n", plain(made.Username), made.Subject)
		})
	})
}

type userList struct {
	After string `placeholder:"USERNAME" help:"Begin after this username."`
	Limit int    `default:"100" help:"How many at most."`
}

// Run lists accounts in the order of their usernames.
func (u *userList) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		after := u.After
		if after != "" {
			key, err := accounts.UsernameKey(after)
			if err != nil {
				return err
			}
			after = key
		}
		found, err := d.db.ListUsers(ctx, after, u.Limit)
		if err != nil {
			return err
		}
		list := make([]userAnswer, len(found))
		rows := [][]string{{"USERNAME", "SUB", "MAIL", "NAME", ""}}
		for i := range found {
			list[i] = userAnswerOf(&found[i])
			rows = append(rows, []string{list[i].Username, list[i].Subject, list[i].Email, list[i].Name, list[i].kinds()})
		}
		return c.answer(map[string]any{"users": list}, func(w io.Writer) { table(w, rows...) })
	})
}

type userShow struct{ whom }

// Run shows an account.
func (u *userShow) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		found, err := u.find(ctx, d)
		if err != nil {
			return err
		}
		a := userAnswerOf(found)
		if a.Groups, err = d.db.GroupsOf(ctx, found.ID, c.now().UnixMilli()); err != nil {
			return err
		}
		return c.answer(a, func(w io.Writer) {
			rows := [][]string{
				{"username", a.Username}, {"sub", a.Subject},
				{"mail", strings.TrimSpace(a.Email + " " + mark(a.EmailVerified, "(verified)"))},
				{"name", a.Name}, {"is", a.kinds()}, {"groups", strings.Join(a.Groups, ", ")},
				{"created", a.CreatedAt}, {"last sign-in", a.LastSignInAt},
			}
			if a.DeleteAt != "" {
				rows = append(rows, []string{"to be deleted", a.DeleteAt})
			}
			table(w, rows...)
		})
	})
}

// changeUser finds the user, changes it and says so.
func (u whom) change(c *call, did string, f func(ctx context.Context, d *domain, by audit.Actor, found *accounts.User) error) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		found, err := u.find(ctx, d)
		if err != nil {
			return err
		}
		err = f(ctx, d, by, found)
		if errors.Is(err, accounts.ErrLastSuperuser) {
			return fmt.Errorf("%s is the last superuser who can sign in: make another one first", plain(found.Username))
		}
		if err != nil {
			return err
		}
		return c.done("user %s %s", plain(found.Username), did)
	})
}

type userBan struct{ whom }

// Run blocks an account.
func (u *userBan) Run(c *call) error {
	return u.change(c, "banned", func(ctx context.Context, d *domain, by audit.Actor, found *accounts.User) error {
		return d.users.Ban(ctx, by, found.Subject)
	})
}

type userUnban struct{ whom }

// Run lets an account sign in again.
func (u *userUnban) Run(c *call) error {
	return u.change(c, "may sign in again", func(ctx context.Context, d *domain, by audit.Actor, found *accounts.User) error {
		return d.users.Unban(ctx, by, found.Subject)
	})
}

type userSetPassword struct {
	whom
	passwordSource `embed:""`
}

// Run gives an account another password.
func (u *userSetPassword) Run(c *call) error {
	password, err := u.read(c)
	if err != nil {
		return err
	}
	if password == "" {
		return fmt.Errorf("%w: use --password-stdin or --password-file", errNothingGiven)
	}
	return u.change(c, "has the new password", func(ctx context.Context, d *domain, by audit.Actor, found *accounts.User) error {
		return d.users.SetPassword(ctx, by, found.Subject, password)
	})
}

// onOff is a switch on the command line.
type onOff struct {
	State string `arg:"" enum:"on,off" help:"on or off."`
}

func (s onOff) on() bool { return s.State == "on" }

type userSuperuser struct {
	whom
	onOff
}

// Run makes an account a superuser or an ordinary one.
func (u *userSuperuser) Run(c *call) error {
	did := "is no superuser any more"
	if u.on() {
		did = "is a superuser"
	}
	return u.change(c, did, func(ctx context.Context, d *domain, by audit.Actor, found *accounts.User) error {
		return d.users.SetSuperuser(ctx, by, found.Subject, u.on())
	})
}

type userStaff struct {
	whom
	onOff
}

// Run makes an account staff or an ordinary one.
func (u *userStaff) Run(c *call) error {
	did := "is no staff any more"
	if u.on() {
		did = "is staff"
	}
	return u.change(c, did, func(ctx context.Context, d *domain, by audit.Actor, found *accounts.User) error {
		return d.users.SetStaff(ctx, by, found.Subject, u.on())
	})
}
