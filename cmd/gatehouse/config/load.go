package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// maxFile bounds the files that settings are read from.
const maxFile = 1 << 20

const prefix = "GATEHOUSE_"

// setting is one line of the table of all settings.
type setting struct {
	name string // as in the YAML file
	// file says that the value may come from a file that name + "_file" names.
	file     bool
	flag     string
	flagFile string
	// otherwise is the default; apply is not called without a value.
	otherwise string
	apply     func(c *Config, value string) error
	// kind is set for those that the database can keep; see Keep.
	kind    accounts.SettingKind
	choices []string // of accounts.SettingChoice
}

func settings(f Flags) []setting {
	return slices.Concat([]setting{
		{name: "data_dir", flag: f.DataDir, otherwise: "data", apply: (*Config).setDataDir},
		{name: "issuer", flag: f.Issuer, apply: (*Config).setIssuer},
		{name: "listen", flag: f.Listen, apply: (*Config).setListen},
		{name: "database_url", file: true, flag: f.DatabaseURL, flagFile: f.DatabaseURLFile, apply: (*Config).setDatabaseURL},
		{name: "redis_url", file: true, flag: f.RedisURL, flagFile: f.RedisURLFile, apply: func(c *Config, v string) error {
			c.RedisURL = secret.Text(v)
			return nil
		}},
		{name: "secret", file: true, flagFile: f.SecretFile, apply: (*Config).setSecret},
		{name: "tls_cert", flag: f.TLSCert, apply: text(func(c *Config) *string { return &c.TLSCert })},
		{name: "tls_key", flag: f.TLSKey, apply: text(func(c *Config) *string { return &c.TLSKey })},
		{name: "trusted_proxies", flag: f.TrustedProxies, apply: (*Config).setTrustedProxies},
		{name: "log_format", flag: f.LogFormat, apply: oneOf(func(c *Config) *string { return &c.LogFormat }, "json", "text")},
		{
			name: "log_level", flag: f.LogLevel, otherwise: "info",
			apply: oneOf(func(c *Config) *string { return &c.LogLevel }, "debug", "info", "warn", "error"),
		},
		{
			name: "access_token_lifetime", flag: f.AccessTokenLifetime, otherwise: "10m", apply: (*Config).setAccessTokenLifetime,
			kind: accounts.SettingDuration,
		},
		{
			name: "brand_name", flag: f.BrandName, otherwise: "Gatehouse", apply: (*Config).setBrandName,
			kind: accounts.SettingText,
		},
		{name: "templates_dir", flag: f.TemplatesDir, apply: text(func(c *Config) *string { return &c.TemplatesDir })},
		{name: "outbound_private", flag: f.OutboundPrivate, apply: yesOrNo(func(c *Config) *bool { return &c.OutboundPrivate })},
		{name: "demo_app_port", flag: f.DemoAppPort, otherwise: "8401", apply: port(func(c *Config) *int { return &c.DemoAppPort })},
		{name: "demo_api_port", flag: f.DemoAPIPort, otherwise: "8402", apply: port(func(c *Config) *int { return &c.DemoAPIPort })},

		{name: "guard_audience", flag: f.Guard.Audience, apply: text(func(c *Config) *string { return &c.Guard.Audience })},
		{name: "guard_client_id", flag: f.Guard.ClientID, apply: text(func(c *Config) *string { return &c.Guard.ClientID })},
		{name: "guard_client_secret", file: true, flagFile: f.Guard.ClientSecretFile, apply: func(c *Config, v string) error {
			c.Guard.ClientSecret = secret.Text(v)
			return nil
		}},
		{
			name: "guard_stale", flag: f.Guard.Stale, otherwise: "introspect",
			apply: oneOf(func(c *Config) *string { return &c.Guard.Stale }, "introspect", "deny", "allow"),
		},
		{name: "guard_upstream", flag: f.Guard.Upstream, apply: (*Config).setGuardUpstream},
		{name: "guard_permissions", flag: f.Guard.Permissions, apply: func(c *Config, v string) error {
			c.Guard.Permissions = strings.Split(v, ",")
			return nil
		}},
		{
			name: "guard_login", flag: f.Guard.Login, otherwise: "required",
			apply: oneOf(func(c *Config) *string { return &c.Guard.Login }, "required", "optional"),
		},
		{name: "guard_keep_token", flag: f.Guard.keepToken(), apply: (*Config).setGuardKeepToken},
	}, brandSettings(f.BrandFlags), peopleSettings(f.PeopleFlags), mailSettings(f.MailFlags), auditSettings(f.AuditFlags))
}

// layer is one source of settings: name to value, and how it calls a name.
type layer struct {
	values map[string]string
	spell  func(name string) string
	origin accounts.SettingOrigin
}

// Load resolves the settings and checks them together. environ is in the form of
// os.Environ. Its errors hold no secret.
func Load(f Flags, environ []string) (*Config, error) {
	all := settings(f)
	env, err := fromEnviron(all, environ)
	if err != nil {
		return nil, err
	}
	path := f.Config
	if path == "" {
		path = env.values["config"]
	}
	file, err := fromYAML(all, path)
	if err != nil {
		return nil, err
	}
	c := &Config{given: map[string]Pin{}}
	for _, s := range all {
		value, where, origin, err := s.resolve(env, file)
		if err != nil {
			return nil, err
		}
		if s.kind != "" && origin != accounts.SettingFromDefault {
			c.given[s.name] = Pin{Value: value, Origin: origin}
		}
		if value == "" {
			continue
		}
		if err := s.apply(c, value); err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
	}
	return c, c.check()
}

// resolve returns the value of a setting, how its source calls it, and which that is.
func (s *setting) resolve(env, file layer) (value, where string, origin accounts.SettingOrigin, err error) {
	flag := layer{
		values: map[string]string{s.name: s.flag, s.name + "_file": s.flagFile}, spell: flagName, origin: accounts.SettingFromFlag,
	}
	for _, l := range []layer{flag, env, file} {
		direct, named := l.values[s.name], ""
		if s.file {
			named = l.values[s.name+"_file"]
		}
		switch {
		case direct != "" && named != "":
			return "", "", "", fmt.Errorf("both %s and %s are given: leave one out", l.spell(s.name), l.spell(s.name+"_file"))
		case direct != "":
			return direct, l.spell(s.name), l.origin, nil
		case named != "":
			where = l.spell(s.name + "_file")
			value, err := readValue(named)
			if err != nil {
				return "", "", "", fmt.Errorf("%s: %w", where, err)
			}
			return value, where, l.origin, nil
		}
	}
	return s.otherwise, s.name, accounts.SettingFromDefault, nil
}

// flagName leaves out that a setting is the guard's: its flags are flags of that
// command.
func flagName(name string) string {
	return "--" + strings.ReplaceAll(strings.TrimPrefix(name, "guard_"), "_", "-")
}

func variableName(name string) string { return prefix + strings.ToUpper(name) }

// names are all names that a layer may use.
func names(all []setting) []string {
	var out []string
	for _, s := range all {
		out = append(out, s.name)
		if s.file {
			out = append(out, s.name+"_file")
		}
	}
	return out
}

func fromEnviron(all []setting, environ []string) (layer, error) {
	l := layer{values: map[string]string{}, spell: variableName, origin: accounts.SettingFromVariable}
	known := append(names(all), "config")
	for _, pair := range environ {
		variable, value, _ := strings.Cut(pair, "=")
		name, ours := strings.CutPrefix(variable, prefix)
		if !ours || foreign(name) {
			continue
		}
		name = strings.ToLower(name)
		if variable != variableName(name) || !slices.Contains(known, name) {
			return l, unknown("variable "+variable, variableName, name, known)
		}
		l.values[name] = value
	}
	return l, nil
}

// foreign variables begin with our prefix and are others' business: Kubernetes
// gives every pod GATEHOUSE_PORT, GATEHOUSE_SERVICE_HOST and more for a service
// called gatehouse, and GATEHOUSE_TEST_ is for our own tests.
func foreign(name string) bool {
	return name == "PORT" || strings.HasPrefix(name, "PORT_") ||
		strings.HasPrefix(name, "SERVICE_HOST") || strings.HasPrefix(name, "SERVICE_PORT") ||
		strings.HasPrefix(name, "TEST_")
}

func fromYAML(all []setting, path string) (layer, error) {
	l := layer{
		values: map[string]string{}, spell: func(name string) string { return name + " in " + path }, origin: accounts.SettingFromFile,
	}
	if path == "" {
		return l, nil
	}
	body, err := readFile(path)
	if err != nil {
		return l, fmt.Errorf("configuration file: %w", err)
	}
	var raw map[string]any
	if err := yaml.Unmarshal(body, &raw); err != nil {
		// The parser's error quotes the lines around, which may hold a secret.
		return l, fmt.Errorf("configuration file %s: it is not a YAML mapping of names to values%s", path, position(err))
	}
	known := names(all)
	for name, v := range raw {
		if !slices.Contains(known, name) {
			return l, unknown("name "+name+" in "+path, func(n string) string { return n }, name, known)
		}
		if l.values[name], err = scalar(v); err != nil {
			return l, fmt.Errorf("%s in %s: %w", name, path, err)
		}
	}
	return l, nil
}

// position tells line and column of a syntax error.
func position(err error) string {
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.Token == nil || syntax.Token.Position == nil {
		return ""
	}
	return fmt.Sprintf(" (line %d)", syntax.Token.Position.Line)
}

// scalar returns a value of the file as a flag would give it.
func scalar(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool, int, int64, uint64, float64:
		return fmt.Sprint(v), nil
	case []any:
		var parts []string
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return "", errors.New("write a text, or a list of texts")
			}
			parts = append(parts, s)
		}
		return strings.Join(parts, ","), nil
	}
	return "", errors.New("write a text, or a list of texts")
}

// readValue reads the file that holds a setting's value.
func readValue(path string) (string, error) {
	body, err := readFile(path)
	if err != nil {
		return "", err
	}
	value := strings.TrimSpace(string(body))
	if value == "" {
		return "", fmt.Errorf("file %s is empty", path)
	}
	return value, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(body) > maxFile {
		return nil, fmt.Errorf("file %s is larger than %d bytes", path, maxFile)
	}
	return body, nil
}
