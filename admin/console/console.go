package console

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
)

// PathConsole is the console's first page.
const PathConsole = hosted.PathConsole

// freshFor is how long ago somebody may have signed in who changes things. What could
// take an account over asks for hosted.FreshFor.
const freshFor = time.Hour

// shown is how many lines a page of a list has.
const shown = 50

// Handler serves the console. Its fields are its dependencies.
type Handler struct {
	*hosted.Desk
	Admin   *admin.Admin
	Callers *admin.Callers
}

// page is one page of the console.
type page struct {
	area string // of the navigation
	need string // the permission without which there is nothing to see; empty: being staff
	get  func(v *visit)
	post func(v *visit)
	// boxes lets the form have web.MaxBoxes parameters.
	boxes bool
}

// pages are all of them, by their path below PathConsole.
func (h *Handler) pages() map[string]page {
	return map[string]page{
		"":                 {area: "dashboard", get: h.dashboard},
		"users":            {area: "users", need: accounts.AdminUsersRead, get: h.users, post: h.bulk},
		"users/new":        {area: "users", need: accounts.AdminUsersWrite, get: h.newUser, post: h.makeUser},
		"users/show":       {area: "users", need: accounts.AdminUsersRead, get: h.user, post: h.changeUser},
		"groups":           {area: "groups", get: h.groups},
		"groups/new":       {area: "groups", need: accounts.AdminGroupsWrite, get: h.newGroup, post: h.makeGroup},
		"groups/show":      {area: "groups", get: h.group, post: h.changeGroup},
		"groups/matrix":    {area: "groups", need: accounts.AdminGroupsRead, get: h.matrix, post: h.changeMatrix, boxes: true},
		"apis":             {area: "apis", need: accounts.AdminAPIsRead, get: h.apis},
		"apis/new":         {area: "apis", need: accounts.AdminAPIsWrite, get: h.newAPI, post: h.makeAPI},
		"apis/show":        {area: "apis", need: accounts.AdminAPIsRead, get: h.api, post: h.changeAPI},
		"sets":             {area: "sets", need: accounts.AdminClientsRead, get: h.sets},
		"sets/new":         {area: "sets", need: accounts.AdminClientsWrite, get: h.newSet, post: h.makeSet},
		"sets/show":        {area: "sets", need: accounts.AdminClientsRead, get: h.set, post: h.changeSet},
		"clients":          {area: "clients", need: accounts.AdminClientsRead, get: h.clients},
		"clients/new":      {area: "clients", need: accounts.AdminClientsWrite, get: h.newClient, post: h.makeClient},
		"clients/consents": {area: "clients", need: accounts.AdminConsentsRead, get: h.consents, post: h.endConsents},
		"clients/show":     {area: "clients", need: accounts.AdminClientsRead, get: h.client, post: h.changeClient},
		"clients/debug":    {area: "clients", need: accounts.AdminClientsWrite, get: h.debug, post: h.runDebug, boxes: true},
		debugCallback:      {area: "clients", need: accounts.AdminClientsWrite, get: h.debugAnswer},
		"sessions":         {area: "sessions", need: accounts.AdminSessionsRead, get: h.sessions, post: h.endSession},
		"keys":             {area: "keys", need: accounts.AdminKeysRead, get: h.keys, post: h.changeKeys},
		"revocations":      {area: "revocations", need: accounts.AdminRevocationsRead, get: h.revocations, post: h.revoke},
		"audit":            {area: "audit", need: accounts.AdminAuditRead, get: h.audit},
		"audit/show":       {area: "audit", need: accounts.AdminAuditRead, get: h.auditEvent},
		"settings":         {area: "settings", need: accounts.AdminSettingsRead, get: h.settings, post: h.changeSettings},
	}
}

// Mount adds the pages to r, as hosted.Desk.Routes does.
func (h *Handler) Mount(r *mux.Router, pages func(http.Handler) http.Handler) error {
	list := map[string]hosted.Page{}
	for name, p := range h.pages() {
		hp := hosted.Page{Get: func(w http.ResponseWriter, r *http.Request) {
			if v := h.enter(w, r, name, p); v != nil {
				v.resume()
				p.get(v)
			}
		}}
		if p.post != nil {
			hp.Post = func(w http.ResponseWriter, r *http.Request) {
				if v := h.enter(w, asked(r), name, p); v != nil && v.read() {
					p.post(v)
				}
			}
		}
		list[PathConsole+name] = hp
	}
	if err := h.Routes(r, pages, list); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	return nil
}
