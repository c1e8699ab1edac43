// Package web holds what every HTTP surface of Gatehouse shares: the front that
// gives each request its id, address, headers, log line and a net for panics;
// strict parsing of forms and queries; cookies; CORS; the listeners.
//
// Invariants:
//   - Nothing that a stranger sends decides who he is: request ids are made here,
//     forwarded headers count only from named proxies, X-Forwarded-Host never.
//   - One log event a request, without query strings, bodies, cookies or the
//     Authorization header.
//   - A path has one spelling. Any other is not found; nothing is cleaned or
//     redirected, so no check by prefix, here or in a proxy, can be walked around.
//   - Bodies, parameters and headers are bounded before they are read.
//
// Sources: RFC 6749 §3.1 (parameters), RFC 9700 §4.16 (clickjacking) and §2.6
// (CORS), RFC 6265bis (cookie prefixes), RFC 9110 §15.5.20 (421), RFC 8414 §3.3,
// Fetch (CORS protocol), CSP Level 3.
package web
