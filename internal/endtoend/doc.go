// Package endtoend holds tests of the whole: the built program, real storage, a
// real browser, and clients that we did not write.
//
// It holds no code that anything could import. What a test here says must be true
// for somebody who has the binary and nothing else:
//
//   - people go from the demo app through the pages to the demo API in headless
//     Chromium, on SQLite and memory and on PostgreSQL and Redis;
//   - people make their accounts, look after them and leave, with real mails, an
//     authenticator app and a virtual passkey;
//   - golang.org/x/oauth2 and coreos/go-oidc, and on Node openid-client and
//     oauth4webapi (folder node), complete their protocols and accept what they get;
//   - commands change what a running server decides at its next request, and answer
//     scripts in the JSON that is written down for them.
//
// Every server that a test starts must end cleanly, and neither its log nor what it
// prints may hold a code, a token, a client secret or a password.
package endtoend
