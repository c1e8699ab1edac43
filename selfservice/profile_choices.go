package selfservice

import (
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/templates"
)

// languageKept is how long a browser remembers a language that was chosen.
const languageKept = 365 * 24 * time.Hour

// localeChoices are languages in their own words. The server takes any language tag;
// these are what a list can offer, and what somebody has already.
func localeChoices(has string) []templates.Choice {
	list := []templates.Choice{
		{Key: "choice.none"},
		{Value: "en", Text: "English"}, {Value: "en-GB", Text: "English (United Kingdom)"}, {Value: "en-US", Text: "English (United States)"},
		{Value: "de", Text: "Deutsch"}, {Value: "de-AT", Text: "Deutsch (Österreich)"}, {Value: "de-CH", Text: "Deutsch (Schweiz)"},
		{Value: "ar", Text: "العربية"}, {Value: "bg", Text: "български"}, {Value: "bn", Text: "বাংলা"}, {Value: "ca", Text: "català"},
		{Value: "cs", Text: "čeština"}, {Value: "da", Text: "dansk"}, {Value: "el", Text: "Ελληνικά"}, {Value: "es", Text: "español"},
		{Value: "es-MX", Text: "español (México)"}, {Value: "et", Text: "eesti"}, {Value: "eu", Text: "euskara"}, {Value: "fa", Text: "فارسی"},
		{Value: "fi", Text: "suomi"}, {Value: "fr", Text: "français"}, {Value: "fr-CA", Text: "français (Canada)"}, {Value: "ga", Text: "Gaeilge"},
		{Value: "he", Text: "עברית"}, {Value: "hi", Text: "हिन्दी"}, {Value: "hr", Text: "hrvatski"}, {Value: "hu", Text: "magyar"},
		{Value: "id", Text: "Bahasa Indonesia"}, {Value: "is", Text: "íslenska"}, {Value: "it", Text: "italiano"}, {Value: "ja", Text: "日本語"},
		{Value: "ko", Text: "한국어"}, {Value: "lt", Text: "lietuvių"}, {Value: "lv", Text: "latviešu"}, {Value: "nb", Text: "norsk"},
		{Value: "nl", Text: "Nederlands"}, {Value: "pl", Text: "polski"}, {Value: "pt-BR", Text: "português (Brasil)"},
		{Value: "pt-PT", Text: "português (Portugal)"}, {Value: "ro", Text: "română"}, {Value: "ru", Text: "русский"}, {Value: "sk", Text: "slovenčina"},
		{Value: "sl", Text: "slovenščina"}, {Value: "sr", Text: "српски"}, {Value: "sv", Text: "svenska"}, {Value: "sw", Text: "Kiswahili"},
		{Value: "ta", Text: "தமிழ்"}, {Value: "th", Text: "ไทย"}, {Value: "tr", Text: "Türkçe"}, {Value: "uk", Text: "українська"},
		{Value: "ur", Text: "اردو"}, {Value: "vi", Text: "Tiếng Việt"}, {Value: "zh-Hans", Text: "中文（简体）"}, {Value: "zh-Hant", Text: "中文（繁體）"},
	}
	return withPresent(list, has)
}

// zoneChoices are a town for each way in which clocks are set; the whole database
// would be most of the page. The server takes any of its names.
func zoneChoices(has string) []templates.Choice {
	list := []templates.Choice{{Key: "choice.none"}}
	for _, zone := range []string{
		"Africa/Algiers", "Africa/Cairo", "Africa/Casablanca", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi",
		"America/Anchorage", "America/Argentina/Buenos_Aires", "America/Bogota", "America/Caracas", "America/Chicago", "America/Denver",
		"America/Halifax", "America/Los_Angeles", "America/Mexico_City", "America/New_York",
		"America/Phoenix", "America/Santiago", "America/Sao_Paulo", "America/St_Johns",
		"Asia/Baghdad", "Asia/Bangkok", "Asia/Dhaka", "Asia/Dubai",
		"Asia/Hong_Kong", "Asia/Jakarta", "Asia/Jerusalem", "Asia/Kabul", "Asia/Karachi", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Manila",
		"Asia/Seoul", "Asia/Shanghai", "Asia/Singapore", "Asia/Tashkent", "Asia/Tehran", "Asia/Tokyo",
		"Asia/Yangon", "Atlantic/Azores", "Atlantic/Reykjavik", "Australia/Adelaide",
		"Australia/Brisbane", "Australia/Darwin", "Australia/Perth", "Australia/Sydney", "Europe/Athens",
		"Europe/Berlin", "Europe/Dublin", "Europe/Helsinki",
		"Europe/Istanbul", "Europe/Kyiv", "Europe/Lisbon", "Europe/London", "Europe/Madrid", "Europe/Moscow", "Europe/Paris",
		"Europe/Rome", "Europe/Vienna",
		"Europe/Warsaw", "Europe/Zurich", "Pacific/Auckland", "Pacific/Fiji", "Pacific/Honolulu", "UTC",
	} {
		list = append(list, templates.Choice{Value: zone, Text: zone})
	}
	return withPresent(list, has)
}

// withPresent makes sure that what somebody has can be kept.
func withPresent(list []templates.Choice, has string) []templates.Choice {
	if slices.ContainsFunc(list, func(c templates.Choice) bool { return c.Value == has }) {
		return list
	}
	return append(list, templates.Choice{Value: has, Text: has})
}
