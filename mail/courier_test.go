package mail_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/mail"
)

func TestMailArrives(t *testing.T) {
	onEach(t, testenv.SMTPOptions{}, func(t *testing.T, w *world) {
		w.mail(w.reset("Ada@Example.org"))
		w.run(mail.NewWorker(w.DB, w.courier()))
		m := w.smtp.Next(t, "ada@example.org")
		jobID := strings.TrimSuffix(strings.TrimPrefix(m.Header.Get("Message-Id"), "<"), "@mail.example.com>")
		if _, err := id.Parse(jobID); err != nil {
			t.Errorf("Message-ID %s", m.Header.Get("Message-Id"))
		}
		got := map[string]string{"greeting": m.Greeting, "envelope": m.From + " " + strings.Join(m.Recipients, " "), "subject": m.Subject}
		for _, name := range []string{"From", "To", "Reply-To", "Date", "Auto-Submitted", "X-Auto-Response-Suppress", "Content-Language", "Mime-Version"} {
			got[name] = strings.Join(m.Header[name], "|")
		}
		want := map[string]string{
			"greeting": "id.example.com", "envelope": "id@mail.example.com Ada@example.org",
			"subject": "Choose a new password for Gatehouse", "From": `"Gatehouse" <id@mail.example.com>`, "To": "<Ada@example.org>",
			"Reply-To": "<help@example.com>", "Date": w.clock().Format(time.RFC1123Z), "Auto-Submitted": "auto-generated",
			"X-Auto-Response-Suppress": "All", "Content-Language": "en", "Mime-Version": "1.0",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if len(m.Header) != len(want)-2+2 { // greeting and envelope are none; Message-ID and Content-Type are
			t.Errorf("other headers: %v", m.Header)
		}
		if m.Link() != secretLink || m.Code() != secretCode || !strings.Contains(m.HTML, secretCode) {
			t.Errorf("link %q, code %q", m.Link(), m.Code())
		}
		eventually(t, "the queue is empty", func() bool { return len(w.queued()) == 0 })
		silentAbout(t, "the log", w.log.String(), "Ada@", "ada@")
	})
}

// Every kind, as the domain writes it, becomes a mail.
func TestEveryKindIsSent(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	for _, kind := range kinds() {
		m := w.reset(string(kind) + "@example.org")
		m.Kind = kind
		m.Data["count"], m.Data["when"] = "3", fmt.Sprint(w.now.Load())
		w.mail(m)
	}
	if n := len(w.queued()); n != len(kinds()) {
		t.Fatalf("%d queued", n)
	}
	w.run(mail.NewWorker(w.DB, w.courier()))
	eventually(t, "the queue is empty", func() bool { return len(w.queued()) == 0 })
	for _, kind := range kinds() {
		want := 1
		if kind == accounts.MailResetUnknown {
			want = 0 // queued for equal work, and never read by anybody
		}
		if n := len(w.smtp.To(string(kind) + "@example.org")); n != want {
			t.Errorf("%s: %d mails", kind, n)
		}
	}
	silentAbout(t, "the log", w.log.String())
}

// What is sealed opens for its own job, kind and recipient alone: whoever can write
// to the table must not be able to have a link sent to themselves.
func TestSealIsBound(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	w.mail(w.reset("ada@example.org"))
	j := w.claim()
	tests := map[string]func(j *jobs.Job){
		"other recipient": func(j *jobs.Job) { j.Payload = strings.Replace(j.Payload, "ada@", "eve@", 1) },
		"other kind":      func(j *jobs.Job) { j.Payload = strings.Replace(j.Payload, "reset_password", "verify_address", 1) },
		"other job":       func(j *jobs.Job) { j.ID = id.New() },
		"changed":         func(j *jobs.Job) { j.Payload = strings.Replace(j.Payload, `"sealed":"`, `"sealed":"AAAA`, 1) },
		"no payload":      func(j *jobs.Job) { j.Payload = "" },
		"not ours":        func(j *jobs.Job) { j.Payload = `{"kind":1}` },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			job := *j
			change(&job)
			err := w.courier().Handle(t.Context(), job)
			if err == nil {
				t.Fatal("sent")
			}
			if name != "changed" && !errors.Is(err, jobs.ErrFinal) {
				t.Errorf("tried again: %v", err) // "changed" may have the version of no secret
			}
			silentAbout(t, "the error", err.Error(), "ada@", "eve@")
		})
	}
	if n := w.smtp.Tried(); n != 0 {
		t.Errorf("%d mails were begun", n)
	}
	if err := w.courier().Handle(t.Context(), *j); err != nil {
		t.Error(err)
	}
}

// A changed secret opens what the old one sealed while that is listed; without it
// the mail waits for an operator to list it.
func TestSecretChanges(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	w.mail(w.reset("ada@example.org"))
	j := w.claim()
	c := w.courier()
	c.Keyring = newKeyring(t, "second")
	if err := c.Handle(t.Context(), *j); err == nil || errors.Is(err, jobs.ErrFinal) {
		t.Errorf("error %v", err)
	}
	c.Keyring = newKeyring(t, "second", "first")
	if err := c.Handle(t.Context(), *j); err != nil {
		t.Error(err)
	}
}

// A server that cannot now is asked again, later and later, with the same mail.
func TestTemporaryRefusalIsTriedAgain(t *testing.T) {
	onEach(t, testenv.SMTPOptions{}, func(t *testing.T, w *world) {
		var ids []string
		w.smtp.Refuse(func(stage, argument string) *testenv.SMTPRefusal {
			if stage != "data" || len(ids) == 2 {
				return nil
			}
			_, rest, _ := strings.Cut(argument, "Message-ID: ")
			line, _, _ := strings.Cut(rest, "\r\n")
			ids = append(ids, line)
			return &testenv.SMTPRefusal{Code: 451, Text: "try again later, " + secretLink}
		})
		w.mail(w.reset("ada@example.org"))
		stop := w.run(mail.NewWorker(w.DB, w.courier()))
		for n := range 2 {
			eventually(t, "a try", func() bool { return strings.Count(w.log.String(), "a job is tried again later") == n+1 })
			w.advance(10 * time.Minute)
		}
		m := w.smtp.Next(t, "ada@example.org")
		stop()
		if ids[0] == "" || ids[0] != ids[1] || ids[0] != m.Header.Get("Message-Id") {
			t.Errorf("Message-IDs %q and %q", ids, m.Header.Get("Message-Id"))
		}
		if want := time.UnixMilli(1_800_000_000_000).Format(time.RFC1123Z); m.Header.Get("Date") != want {
			t.Errorf("Date %s", m.Header.Get("Date"))
		}
		silentAbout(t, "the log", w.log.String(), "ada@")
		if len(w.smtp.Mails()) != 1 {
			t.Errorf("%d mails", len(w.smtp.Mails()))
		}
	})
}

// What a server refuses for good is given up, with an event in the audit log that
// tells the code and neither the address nor what a filter quotes.
func TestPermanentRefusalIsGivenUp(t *testing.T) {
	for _, stage := range []string{"rcpt", "data"} {
		t.Run(stage, func(t *testing.T) {
			onEach(t, testenv.SMTPOptions{}, func(t *testing.T, w *world) {
				w.smtp.Refuse(func(at, argument string) *testenv.SMTPRefusal {
					if at != stage {
						return nil
					}
					return &testenv.SMTPRefusal{Code: 554, Text: "5.7.1 <ada@example.org> spam: " + secretLink + " code " + secretCode}
				})
				w.mail(w.reset("ada@example.org"))
				w.run(mail.NewWorker(w.DB, w.courier()))
				eventually(t, "the queue is empty", func() bool { return len(w.queued()) == 0 })
				if n := w.smtp.Tried(); n != 1 {
					t.Errorf("%d tries", n)
				}
				events := w.column(`SELECT details FROM audit WHERE action = 'job.give_up' AND target_kind = 'mail' AND target_id = 'example.org'`)
				if len(events) != 1 || !strings.Contains(events[0], "554") {
					t.Errorf("events %q", events)
				}
				silentAbout(t, "the event", strings.Join(events, ""), "ada@")
				silentAbout(t, "the log", w.log.String(), "ada@")
			})
		})
	}
}

// What a server says before it knows the recipient is about us, not about the mail:
// an operator mends it, and the mails that waited go out.
func TestRefusalOfOurselvesIsTriedAgain(t *testing.T) {
	for _, stage := range []string{"connect", "auth", "mail"} {
		t.Run(stage, func(t *testing.T) {
			w := newWorld(t, "", testenv.SMTPOptions{User: "gate", Password: "right"})
			w.smtp.Refuse(func(at, _ string) *testenv.SMTPRefusal {
				if at != stage {
					return nil
				}
				return &testenv.SMTPRefusal{Code: 550, Text: "who are you"}
			})
			c := w.courier()
			c.Sender = w.sender("right")
			w.mail(w.reset("ada@example.org"))
			j := w.claim()
			err := c.Handle(t.Context(), *j)
			if err == nil || errors.Is(err, jobs.ErrFinal) {
				t.Fatalf("error %v", err)
			}
			w.smtp.Refuse(nil)
			if err := c.Handle(t.Context(), *j); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestGivenUpAfterADay(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	w.smtp.Refuse(func(stage, _ string) *testenv.SMTPRefusal {
		if stage != "rcpt" {
			return nil
		}
		return &testenv.SMTPRefusal{Code: 450, Text: "later"}
	})
	m := w.reset("ada@example.org")
	m.Data["until"] = fmt.Sprint(w.clock().Add(7 * 24 * time.Hour).UnixMilli())
	w.mail(m)
	w.run(mail.NewWorker(w.DB, w.courier()))
	eventually(t, "the mail is given up", func() bool {
		if strings.Contains(w.log.String(), "a job was given up") {
			return true
		}
		w.advance(10 * time.Minute)
		return false
	})
	if age := w.clock().Sub(time.UnixMilli(1_800_000_000_000)); age < 20*time.Hour {
		t.Errorf("after %s", age)
	}
}

// A link that has expired is not sent late.
func TestExpiredMailIsThrownAway(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	w.mail(w.reset("ada@example.org"))
	j := w.claim()
	w.advance(time.Hour - time.Millisecond)
	if err := w.courier().Handle(t.Context(), *j); err != nil || w.smtp.Tried() != 1 {
		t.Errorf("error %v, %d tries", err, w.smtp.Tried())
	}
	w.advance(time.Millisecond)
	if err := w.courier().Handle(t.Context(), *j); err != nil || w.smtp.Tried() != 1 {
		t.Errorf("after it has expired: error %v, %d tries", err, w.smtp.Tried())
	}
	if !strings.Contains(w.log.String(), "thrown away") {
		t.Error("the log does not tell")
	}
}

// Mails that cannot be written are not tried for a day.
func TestMailThatCannotBeWritten(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	m := w.reset("ada@example.org")
	m.Data["link"] = "javascript:" + secretLink
	w.mail(m)
	err := w.courier().Handle(t.Context(), *w.claim())
	if !errors.Is(err, jobs.ErrFinal) {
		t.Fatalf("error %v", err)
	}
	silentAbout(t, "the error", err.Error())
}

// A worker that dies in the middle leaves its mail to the next.
func TestRestart(t *testing.T) {
	onEach(t, testenv.SMTPOptions{}, func(t *testing.T, w *world) {
		w.mail(w.reset("ada@example.org"))
		w.claim() // by a process that dies
		other := w.node()
		w.run(mail.NewWorker(other, w.courier()))
		w.advance(2 * time.Minute)
		w.smtp.Next(t, "ada@example.org")
		eventually(t, "the queue is empty", func() bool { return len(w.queued()) == 0 })
	})
}

// One after the other, mails go out in the order in which they were queued.
func TestOrder(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	var want []string
	for i := range 10 {
		to := fmt.Sprintf("ada%d@example.org", i)
		want = append(want, to)
		w.mail(w.reset(to))
		w.advance(time.Millisecond)
	}
	worker := mail.NewWorker(w.DB, w.courier())
	worker.Total = 1
	w.run(worker)
	var got []string
	for _, m := range w.smtp.Await(t, len(want)) {
		got = append(got, m.Recipients...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Mails for one domain that hang keep no mail of another domain, and no other job,
// from going out.
func TestSlowServerHoldsUpNobody(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	release := make(chan struct{})
	w.smtp.Refuse(func(stage, argument string) *testenv.SMTPRefusal {
		if stage == "rcpt" && strings.HasSuffix(argument, "@slow.example") {
			<-release
		}
		return nil
	})
	worker := mail.NewWorker(w.DB, w.courier())
	for kind := range worker.Work {
		if kind != mail.Kind {
			t.Errorf("the mails' worker does %s too", kind)
		}
	}
	for i := range 20 {
		w.mail(w.reset(fmt.Sprintf("ada%d@slow.example", i)))
	}
	w.mail(w.reset("grace@quick.example"))
	w.run(worker)
	w.smtp.Next(t, "grace@quick.example")
	if n := len(w.smtp.Mails()); n != 1 {
		t.Errorf("%d mails", n)
	}
	close(release)
	w.smtp.Await(t, 21)
}

// A server that never answers is left when the try's time is up.
func TestHangingServerIsLeft(t *testing.T) {
	for _, stage := range []string{"connect", "mail", "rcpt", "data"} {
		t.Run(stage, func(t *testing.T) {
			w := newWorld(t, "", testenv.SMTPOptions{})
			ctx, cancel := context.WithCancel(t.Context())
			release := make(chan struct{})
			w.smtp.Refuse(func(at, _ string) *testenv.SMTPRefusal {
				if at == stage {
					cancel()
					<-release
				}
				return nil
			})
			w.mail(w.reset("ada@example.org"))
			err := w.courier().Handle(ctx, *w.claim())
			close(release)
			if err == nil || errors.Is(err, jobs.ErrFinal) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Many write and several nodes send: each mail arrives once.
func TestManyAtOnce(t *testing.T) {
	onEach(t, testenv.SMTPOptions{}, func(t *testing.T, w *world) {
		const writers, each = 4, 10
		stop := w.run(mail.NewWorker(w.DB, w.courier()), mail.NewWorker(w.node(), w.courier()))
		failed := make(chan error, writers)
		for n := range writers {
			go func() {
				for i := range each {
					if err := w.outbox.Mail(t.Context(), w.reset(fmt.Sprintf("ada%d-%d@d%d.example", n, i, i%3))); err != nil {
						failed <- err
						return
					}
				}
				failed <- nil
			}()
		}
		for range writers {
			if err := <-failed; err != nil {
				t.Fatal(err)
			}
		}
		w.smtp.Await(t, writers*each)
		eventually(t, "the queue is empty", func() bool { return len(w.queued()) == 0 })
		stop()
		seen := map[string]int{}
		for _, m := range w.smtp.Mails() {
			seen[m.Recipients[0]]++
		}
		if len(seen) != writers*each || len(w.smtp.Mails()) != writers*each {
			t.Errorf("%d mails to %d people", len(w.smtp.Mails()), len(seen))
		}
	})
}

func TestTestMail(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	answer, err := w.courier().Test(t.Context(), "ada@example.org", "en")
	if err != nil || answer == "" {
		t.Fatalf("%q, %v", answer, err)
	}
	if m := w.smtp.Next(t, "ada@example.org"); m.Subject != "Test mail of Gatehouse" {
		t.Error(m.Subject)
	}
	if _, err := w.courier().Test(t.Context(), "ada@example.org\r\nBcc: x@example.net", "en"); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("error %v", err)
	}
}
