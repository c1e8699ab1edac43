// Package testenv starts what tests talk to: PostgreSQL, Redis (alone, under
// Sentinel, as a Cluster) and headless Chromium.
//
// It is for tests alone: it imports the standard library and chromedp, never
// a driver of ours, so that every package can use it from its tests.
//
// What holds:
//
//   - A server starts when a test first asks for it, at most once per test
//     binary unless the function says otherwise.
//   - Nothing outlives the test binary. A small shell, the keeper, holds the
//     reading end of a pipe; when the test binary ends in whatever way (Main,
//     a panic, a timeout, kill -9), the pipe closes, and the keeper ends the
//     processes and removes the temporary folder.
//   - A program that is not installed fails the test and names the Debian
//     package; no test is skipped.
//   - Everything listens on loopback alone. PostgreSQL asks for a password
//     that is made for each run, since its superuser can run programs; Redis
//     asks for none, its configuration commands that write files are off.
//
// A package whose tests use it declares
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
// It runs on Linux and macOS.
package testenv
