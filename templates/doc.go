// Package templates owns everything that people see: the hosted pages, their
// style sheet, scripts and logo, the message catalogs, and the renderer that
// joins them. It is the only package that imports html/template.
//
// Invariants:
//   - A page is executed into a buffer first. When anything fails, nothing has
//     been written and the caller may still answer with another page.
//   - Whatever comes from outside (names, URLs, state, hidden values) is plain
//     data: html/template escapes it for its place, names are isolated from the
//     text around them, and a URL is only linked when its scheme is harmless.
//   - No page holds an inline script, an inline style or an event attribute, so
//     that the strictest Content-Security-Policy holds (script-src 'self';
//     style-src 'self'). Every page works with scripts switched off.
//   - Every text comes from the catalogs in locales/, which are complete in each
//     language of ours; one that an operator adds falls back to English message by
//     message.
//   - Pages know no OAuth syntax: they get names, sentences and enumerations.
//
// A folder given as [Options.Override] replaces single files by name:
// html/*.html, mails/*, static/* and locales/<tag>/*.toml (catalogs are laid over
// ours message by message). static/brand.css, when present, is loaded after our
// style sheet; it is the place for custom properties such as --accent.
// [New] proves an override by executing every page once; [Drifts] tells which of
// its files were made from ones of ours that have changed since.
//
// Sources: WCAG 2.2 AA, the HTML autofill tokens, OAuth 2.0 Form Post Response
// Mode, RFC 8252 for the warnings about loopback and private-use schemes.
package templates
