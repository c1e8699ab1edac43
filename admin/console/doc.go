// Package console is the admin console: pages for operators and for staff with the
// right permissions, below /admin/. It reads what somebody typed, calls one operation
// of package admin, and draws; what anybody may do is decided there.
//
// Who enters is signed in, staff or superuser, and has done everything else that is
// asked of them (hosted.Desk.Member). What they hold is read for each request, so a
// permission that is taken away is gone with the next click. A change needs a recent
// sign-in besides, for the console may be open on a screen that nobody watches; what
// could take over an account, an app or the deployment needs one of the last minutes.
// Whoever is asked to sign in for a form comes back to its page, which says that nothing
// was done and holds what they typed.
//
// An edit form changes the fields that were changed in it, and none that somebody else
// has changed since its page was drawn (edit.go). Where a form makes several
// transactions, the page says of each what became of it, whatever broke.
//
// Every page works without scripts. Lists go on by keyset and are never counted.
// What is shown once (a client's secret, a link to sign in) is drawn in the answer to
// the form and kept nowhere.
package console
