// Command bench measures what Gatehouse promises, side by side in one run, prints
// tables in Markdown and draws the chart of the README:
//
//	go run ./bench          # about four minutes
//	go run ./bench -full    # larger, an hour or more
//	go run ./bench -only latency,fanout
//
// Its servers are the built binary in processes of their own, on loopback and in
// temporary folders, with PostgreSQL and Redis if their programs are installed.
// Everything that it starts it stops.
//
// What holds:
//
//   - One run compares: figures of different runs or machines are not put beside
//     each other. Each table says what was measured and what was computed.
//   - A time of revocation begins when the answer to the sign-out (or to the
//     revocation) was read, and ends when the last of all resource servers has
//     refused the token, or when a frame was read. Who refuses before the answer
//     arrives counts as zero.
//   - Nothing is left out of a distribution: a server that never refuses makes the
//     run fail.
//
// Sources: the promises of docs/revocation.md (The bound, Sizing) and of
// docs/measurements.md.
package main
