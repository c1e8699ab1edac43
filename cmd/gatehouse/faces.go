package main

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/internal/outbound"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/provider"
	"github.com/gatehouse-id/gatehouse/provider/statuslist"
	"github.com/gatehouse-id/gatehouse/revocation/feed"
	"github.com/gatehouse-id/gatehouse/revocation/relay"
	"github.com/gatehouse-id/gatehouse/signals"
	"github.com/gatehouse-id/gatehouse/templates"
)

// Names of the relays' cursors in the database; they never change.
const (
	relayBackchannel = "backchannel-logout"
	relaySignals     = "signals"
)

// faces are the ways in which the ledger reaches others.
type faces struct {
	feed        *feed.Handler
	lists       *statuslist.Lists
	transmitter *signals.Transmitter
	worker      *jobs.Worker
	mailer      *jobs.Worker
	mailbox     *mail.Mailbox // of dev; nil without
	relays      []*relay.Relay
	others      []func(ctx context.Context) error // of the audit log
}

// newStatusLists are made before the provider, which gives tokens their places.
func (d *domain) newStatusLists() *statuslist.Lists {
	return &statuslist.Lists{Issuer: d.cfg.Issuer, Store: d.db, Ledger: d.tail, Keys: d.ring, Log: d.log, Now: d.now}
}

// newFaces builds what tells others, on a provider that knows who asks.
func (d *domain) newFaces(protocol *provider.Provider, lists *statuslist.Lists, pages *templates.Renderer) (*faces, error) {
	client := d.outboundClient()
	f := &faces{
		lists: lists,
		feed: &feed.Handler{
			Ledger: d.tail, Rows: d.db, Auth: protocol, Followers: d.db, Keyring: d.keyring,
			Issuer: d.cfg.Issuer, Now: d.now, Log: d.log,
		},
		transmitter: &signals.Transmitter{
			Issuer: d.cfg.Issuer, Authorizer: protocol, Signer: protocol,
			Streams: d.db, Subjects: d.db, Events: d.db, Deliveries: d.db, Accounts: d.db, Relay: relaySignals,
			Tx: d.db, Audit: d.db, Jobs: d.db,
			Keyring: d.keyring, Client: client, AllowHTTP: d.cfg.OutboundPrivate, Log: d.log, Now: d.now,
		},
	}
	work := f.transmitter.Work()
	work[provider.BackchannelKind] = jobs.Work{
		Handler: &provider.BackchannelSender{
			Issuer: d.cfg.Issuer.String(), Clients: d.db, Keys: d.ring, HTTP: client, Now: d.now, Log: d.log,
		},
		Policy: provider.BackchannelPolicy(),
	}
	mails, err := newMails(d.cfg, pages)
	if err != nil {
		return nil, err
	}
	sender := newSender(d.cfg, d.log)
	switch {
	case mail.Configured(sender):
	case d.cfg.Dev:
		f.mailbox = &mail.Mailbox{Issuer: d.cfg.Issuer, Pages: mails, Log: d.log}
		sender = f.mailbox
	default:
		d.log.Warn("no mail server is set: nobody can be sent a link or a code, so sign-up, reset and codes by mail are off")
	}
	f.mailer = mail.NewWorker(d.db, newCourier(d.cfg, mails, sender, d.keyring, d.now, d.log))
	f.worker = &jobs.Worker{Store: d.db, Work: work, Now: d.now, Log: d.log}
	if f.others, err = d.auditWorkers(); err != nil {
		return nil, err
	}
	for name, sink := range map[string]relay.Sink{
		relayBackchannel: &provider.BackchannelSink{SignIns: d.db, Jobs: d.db, Log: d.log},
		relaySignals:     f.transmitter,
	} {
		f.relays = append(f.relays, &relay.Relay{
			Name: name, Store: d.db, Sinks: []relay.Sink{sink}, Log: d.log, Changed: d.tail.Changed, Passed: f.worker.Hint,
		})
	}
	return f, nil
}

// sendsMail reports whether people can be told things by mail.
func (d *domain) sendsMail() bool { return sendsMail(d.cfg) }

func sendsMail(cfg *config.Config) bool { return cfg.Mail.Server != nil || cfg.Dev }

// outboundClient calls addresses that apps and receivers chose.
func (d *domain) outboundClient() *http.Client {
	return outbound.NewClient(outbound.Options{AllowPrivate: d.cfg.OutboundPrivate})
}

func (f *faces) mount(r *mux.Router) {
	f.feed.Mount(r)
	f.lists.Mount(r)
	f.transmitter.Mount(r)
	if f.mailbox != nil {
		f.mailbox.Mount(r, web.Pages)
	}
}

// run works until ctx ends. Each of them says in the log what it cannot do, and
// returns with its context alone.
func (f *faces) run(ctx context.Context) {
	workers := append(slices.Clone(f.others), f.feed.Run, f.transmitter.Run, f.worker.Run, f.mailer.Run)
	for _, r := range f.relays {
		workers = append(workers, r.Run)
	}
	var running sync.WaitGroup
	for _, work := range workers {
		running.Go(func() { _ = work(ctx) })
	}
	running.Wait()
}
