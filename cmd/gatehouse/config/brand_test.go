package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
)

func TestBrand(t *testing.T) {
	flags := config.Flags{BrandFlags: config.BrandFlags{BrandAccent: "#7A1FA2", BrandHelpURL: "mailto:help@acme.example"}}
	c, err := config.Load(flags, []string{"GATEHOUSE_BRAND_LOGO=logo.png", "GATEHOUSE_BRAND_IMPRINT_URL=https://acme.example/imprint"})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Brand{Logo: "logo.png", Accent: "#7A1FA2", ImprintURL: "https://acme.example/imprint", HelpURL: "mailto:help@acme.example"}
	if diff := cmp.Diff(want, c.Brand); diff != "" {
		t.Errorf("brand (-want +got):\n%s", diff)
	}
	for _, bad := range []string{
		"GATEHOUSE_BRAND_ACCENT=red", "GATEHOUSE_BRAND_ACCENT=#12345", "GATEHOUSE_BRAND_HELP_URL=javascript:alert(1)",
		"GATEHOUSE_BRAND_HELP_URL=help", "GATEHOUSE_BRAND_PRIVACY_URL=https://", "GATEHOUSE_BRAND_IMPRINT_URL=https://a:b@acme.example/",
	} {
		if _, err := config.Load(config.Flags{}, []string{bad}); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
