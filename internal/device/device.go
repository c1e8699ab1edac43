// Package device puts what a browser says of itself into words that its owner
// recognises: "Firefox on Linux".
//
// A User-Agent is written by whoever sends the request, so nothing of its text is
// ever passed on: the words come from a list, and what is not on it is unknown.
// Nothing may be decided by it.
package device

import (
	"strings"

	"github.com/mileusna/useragent"
)

// Device is a browser on a system. Both are empty when they are not known.
type Device struct {
	Browser string // "Firefox"
	System  string // "Linux"
}

// maxLength bounds what is parsed, in bytes.
const maxLength = 1024

// Of reads the header User-Agent.
func Of(userAgent string) Device {
	if len(userAgent) > maxLength {
		userAgent = userAgent[:maxLength]
	}
	ua := useragent.Parse(userAgent)
	return Device{Browser: browser(ua.Name), System: system(ua, userAgent)}
}

// String is the device in English, "Firefox on Linux", or "an unknown device".
func (d Device) String() string {
	switch {
	case d.Browser != "" && d.System != "":
		return d.Browser + " on " + d.System
	case d.Browser != "":
		return d.Browser
	case d.System != "":
		return d.System
	}
	return "an unknown device"
}

func browser(name string) string {
	switch name {
	case useragent.Firefox, useragent.Chrome, useragent.Safari, useragent.Edge, useragent.Opera, useragent.Vivaldi,
		useragent.SamsungBrowser, useragent.InternetExplorer, useragent.OperaMini, "Huawei Browser", "Miui Browser", "Android browser":
		return name
	case useragent.MobileSafari:
		return useragent.Safari
	case useragent.HeadlessChrome:
		return useragent.Chrome
	case useragent.OperaTouch:
		return useragent.Opera
	case useragent.FacebookApp, useragent.InstagramApp, useragent.TiktokApp:
		return name
	case "curl", "Wget":
		return name
	}
	return ""
}

func system(ua useragent.UserAgent, userAgent string) string {
	switch ua.OS {
	case useragent.Windows, useragent.MacOS, useragent.Linux, useragent.Android, useragent.FreeBSD, useragent.ChromeOS:
		return ua.OS
	case useragent.IOS:
		// The word by which its owner knows the thing.
		if strings.Contains(userAgent, "iPad") {
			return "iPad"
		}
		return "iPhone"
	case useragent.WindowsPhone, useragent.WindowsPhoneOS:
		return useragent.WindowsPhone
	case useragent.Harmony:
		return "HarmonyOS"
	}
	return ""
}
