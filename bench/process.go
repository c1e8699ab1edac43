package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What a process has used is read from /proc; where there is none (macOS) the
// columns say so.

const unknown = "n/a"

// cpu returns the processor time that a process has used, in steps of 10 ms; false
// where it is not known.
func cpu(pid int) (time.Duration, bool) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, false
	}
	// From the state on, behind the name in parentheses (proc(5)).
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, false
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, false
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, err == nil
}

// used writes what f let a process use.
func used(pid int, f func() error) (time.Duration, string, error) {
	before, known := cpu(pid)
	if err := f(); err != nil {
		return 0, "", err
	}
	after, _ := cpu(pid)
	if !known {
		return 0, unknown, nil
	}
	return after - before, fmt.Sprintf("%.2f s", (after - before).Seconds()), nil
}

// resident is the memory that a process occupies, in bytes; false where it is not
// known.
func resident(pid int) (int, bool) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.Atoi(fields[1])
	return pages * os.Getpagesize(), err == nil
}

// mebibytes writes what resident returns.
func mebibytes(size int, known bool) string {
	if !known {
		return unknown
	}
	return fmt.Sprintf("%d MiB", size>>20)
}

// load says how busy the machine was before, where that is known.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	average, _, ok := strings.Cut(string(text), " ")
	if err != nil || !ok {
		return ""
	}
	return ", load before " + average
}
