// Package guard checks access tokens for servers that are written in another
// language: a proxy asks it about each request (nginx auth_request, Traefik
// forwardAuth, Envoy ext_authz over HTTP), or it stands before the server as the
// proxy itself. What it finds in the token reaches the server as headers X-Auth-*.
// Package resource decides about tokens; this one carries its answers.
//
// Invariants:
//   - What a request needs is said by the configuration alone: by the URL that the
//     proxy was told to ask, or by the guard's own flags. Nothing that a client can
//     write takes part: not X-Forwarded-Uri or X-Original-URI, not the path and not
//     the query that Envoy appends to the URL it asks.
//   - A URL that is not understood is refused (403). It is never taken for one that
//     asks less.
//   - Every answer that lets a request pass carries all headers of the list, empty
//     where the token says nothing, so that a proxy that copies them overwrites what
//     a client sent. Names that some servers read as one of them (X_Auth_Subject)
//     are removed by the gateway and refused from a proxy that passes them on.
//   - Values are printable ASCII; anything else in them is percent-encoded, so that
//     two subjects never look the same.
//   - A stream through the gateway ends when its token does.
//   - The gateway lets nothing through but requests that it has seen, and
//     WebSockets: no other protocol is switched to.
//
// Sources: RFC 6750; the manuals of ngx_http_auth_request_module, Traefik's
// ForwardAuth, and Envoy's ext_authz filter.
package guard
