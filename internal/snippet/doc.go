// Package snippet writes settings and commands that operators paste: for a shell, for
// an environment file, and for the frameworks that apps are made with.
//
// What it is given may hold anything that a registration lets through, and was perhaps
// chosen by somebody else than the one who pastes: redirect URIs hold $ ( ) ' and ;, and
// a client_id any printable character. So each value is written as a literal of the
// language that it stands in, and no shell, parser or framework takes a part of it for
// its own. No secret is among the values.
//
// Sources: POSIX.1-2024 XCU §2.2 (quoting), RFC 6749 §2.3.1, RFC 7523 §2.2, RFC 8707, and
// the documentation of each framework.
package snippet
