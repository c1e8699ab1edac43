package accounts

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func checkTime() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func TestProfileChecks(t *testing.T) {
	const refused = "!"
	for _, tc := range []struct {
		claim string
		set   func(p *Person, s string)
		get   func(p Person) string
		cases map[string]string // what is typed: what is kept, or why it is refused
	}{
		{"birthdate", func(p *Person, s string) { p.Birthdate = s }, func(p Person) string { return p.Birthdate }, map[string]string{
			"": "", "1990-12-31": "1990-12-31", " 1990-12-31 ": "1990-12-31", "0000-12-31": "0000-12-31", "0000-02-29": "0000-02-29", "1990": "1990",
			"2000-02-29": "2000-02-29", "2001-02-29": refused + "birthdate", "1990-13-01": refused + "birthdate", "1990-00-10": refused + "birthdate",
			"31.12.1990": refused + "birthdate", "1990-1-1": refused + "birthdate", "0000": refused + "birthdate", "199": refused + "birthdate",
			"1200-01-01": refused + "birthdate", "-0001-01-01": refused + "birthdate", "1990-12-31T00:00:00Z": refused + "birthdate",
			"2026-11-23": "2026-11-23", "2026-11-24": "2026-11-24", "2026-11-25": refused + "future", "2027": refused + "future",
		}},
		{"phone_number", func(p *Person, s string) { p.PhoneNumber = s }, func(p Person) string { return p.PhoneNumber }, map[string]string{
			"": "", "+49 30 123456": "+4930123456", "+1 (425) 555-1212": "+14255551212", "+123456": refused + "phone", "+1234567890123456": refused + "phone",
			"030 123456": refused + "phone", "+0123456789": refused + "phone", "+49 30 123456 ext 7": refused + "phone", "++4930123456": refused + "phone",
			"+49٣٠١٢٣٤٥٦": refused + "phone", "+": refused + "phone", "4930123456+": refused + "phone",
		}},
		{"website", func(p *Person, s string) { p.Website = s }, func(p Person) string { return p.Website }, map[string]string{
			"": "", "example.org": "https://example.org", "https://Example.ORG/Path?q=1#frag": "https://example.org/Path?q=1#frag",
			"https://example.org:443/": "https://example.org/", "https://example.org:8443/": "https://example.org:8443/", "https://bücher.example/": "https://xn--bcher-kva.example/",
			"http://example.org": refused + "url", "javascript:alert(1)": refused + "url", "JAVASCRIPT:alert(1)": refused + "url", "https://u:p@example.org": refused + "url",
			"https://": refused + "url", "https:example.org": refused + "url", "//example.org": "!url", "https://exa mple.org": refused + "url", "https://example.org/\\evil": refused + "url",
			"https://example.org/\"><b>": refused + "url", "https://example.org:0/": refused + "url", "https://example.org:/": refused + "url", "data:text/html,x": refused + "url",
			"https://[::1]/": refused + "url", "https://example.org/\u202e": refused + "url", "https://" + strings.Repeat("a.", 600) + "de": refused + "url",
			"https://example.org/" + strings.Repeat("a", 1000): refused + "too_long",
		}},
		{"zoneinfo", func(p *Person, s string) { p.Zoneinfo = s }, func(p Person) string { return p.Zoneinfo }, map[string]string{
			"": "", "Europe/Berlin": "Europe/Berlin", "America/Argentina/Buenos_Aires": "America/Argentina/Buenos_Aires", "UTC": "UTC", "Etc/GMT+5": "Etc/GMT+5",
			"Local": refused + "zoneinfo", "europe/berlin": refused + "zoneinfo", "Europe": refused + "zoneinfo", "Europe/Atlantis": refused + "zoneinfo",
			"../../etc/passwd": refused + "zoneinfo", "/etc/localtime": refused + "zoneinfo", "posix/Europe/Berlin": refused + "zoneinfo", "Europe/../Europe/Berlin": refused + "zoneinfo",
			"Europe\\Berlin": refused + "zoneinfo", "Europe/Berlin\x00": refused + "zoneinfo", strings.Repeat("A", 100): refused + "zoneinfo",
		}},
		{"locale", func(p *Person, s string) { p.Locale = s }, func(p Person) string { return p.Locale }, map[string]string{
			"": "", "de": "de", "DE-at": "de-AT", "en_GB": "en-GB", "zh-Hant": "zh-Hant", "sr-Latn-RS": "sr-Latn-RS", "ar-EG": "ar-EG",
			"deutsch!": refused + "locale", "und": refused + "locale", "x": refused + "locale", "de-": refused + "locale", "<b>": refused + "locale", strings.Repeat("de-", 40) + "de": refused + "locale",
		}},
		{"name", func(p *Person, s string) { p.Name = s }, func(p Person) string { return p.Name }, map[string]string{
			"": "", " Ada  Lovelace ": "Ada  Lovelace", "Ünïcode 名前": "Ünïcode 名前", "<b>Ada</b>": "<b>Ada</b>", "a\nb": refused + "invisible", "a\u202eb": refused + "invisible",
			"a\u200bb": refused + "invisible", "\xff": refused + "invisible", "a\x00": refused + "invisible", strings.Repeat("ä", 200): strings.Repeat("ä", 200),
			strings.Repeat("ä", 201): refused + "too_long",
		}},
		{"street_address", func(p *Person, s string) { p.Address = &Address{StreetAddress: s} }, func(p Person) string {
			return AddressParts(p.Address).StreetAddress
		}, map[string]string{
			"": "", "Road 1\r\nFlat": "Road 1\nFlat", "a\rb": refused + "invisible", "a\u2028b": refused + "invisible", strings.Repeat("x", 301): refused + "too_long",
		}},
	} {
		for typed, want := range tc.cases {
			var p Person
			tc.set(&p, typed)
			got, err := p.checked(checkTime())
			cause, isRefused := strings.CutPrefix(want, refused)
			if !isRefused {
				if err != nil || tc.get(got) != want {
					t.Errorf("%s %.60q: %q, %v, want %q", tc.claim, typed, tc.get(got), err, want)
				}
				continue
			}
			bad := (*ProfileError)(nil)
			if !errors.As(err, &bad) || !errors.Is(err, ErrInvalid) || bad.Fields[0].Claim != tc.claim || string(bad.Fields[0].Cause) != cause {
				t.Errorf("%s %.60q: kept %q, %v, want %s", tc.claim, typed, tc.get(got), err, cause)
			}
		}
	}
}

// All that is wrong is told at once, and none of the values.
func TestProfileError(t *testing.T) {
	p := Person{Name: "secret\x00", Profile: Profile{Birthdate: "secret", Zoneinfo: "Secret"}}
	_, err := p.checked(checkTime())
	if err == nil || err.Error() != "invalid profile: name: invisible, birthdate: birthdate, zoneinfo: zoneinfo" {
		t.Errorf("error %v", err)
	}
}

func TestAddress(t *testing.T) {
	for _, tc := range []struct{ in, want *Address }{
		{nil, nil}, {&Address{}, nil}, {&Address{Formatted: "made elsewhere"}, nil},
		{&Address{Country: " Österreich "}, &Address{Formatted: "Österreich", Country: "Österreich"}},
		{
			&Address{StreetAddress: "a", PostalCode: "1", Locality: "b", Region: "c", Country: "d"},
			&Address{Formatted: "a\n1 b\nc\nd", StreetAddress: "a", PostalCode: "1", Locality: "b", Region: "c", Country: "d"},
		},
	} {
		got, err := Person{Profile: Profile{Address: tc.in}}.checked(checkTime())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, got.Address); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tc.in, diff)
		}
	}
	whole := &Address{Formatted: "a\r\nb"}
	if parts := AddressParts(whole); parts != (Address{StreetAddress: "a\nb"}) {
		t.Errorf("parts %+v", parts)
	}
}

// What is taken can be taken again as it is, is text, and holds no line that its
// claim does not have.
func FuzzProfile(f *testing.F) {
	f.Add("Ada", "1990-12-31", "+49 30 123456", "https://example.org", "Europe/Berlin", "de-AT")
	f.Add("\u202e", "0000-02-29", "+1", "javascript:x", "../x", "x-y")
	f.Add("", "1990", "", "bücher.example:8443/a?b#c", "Etc/GMT+5", "en_GB")
	f.Fuzz(func(t *testing.T, name, born, phone, link, zone, locale string) {
		p := Person{Name: name, Profile: Profile{Birthdate: born, PhoneNumber: phone, Website: link, Zoneinfo: zone, Locale: locale}}
		once, err := p.checked(checkTime())
		if err != nil {
			return
		}
		twice, err := once.checked(checkTime())
		if diff := cmp.Diff(once, twice); diff != "" || err != nil {
			t.Fatalf("not the same again: %v\n%s", err, diff)
		}
		for _, s := range []string{once.Name, once.Birthdate, once.PhoneNumber, once.Website, once.Zoneinfo, once.Locale} {
			if !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00") {
				t.Fatalf("kept %q", s)
			}
		}
		if once.Website != "" && !strings.HasPrefix(once.Website, "https://") {
			t.Fatalf("kept the link %q", once.Website)
		}
	})
}
