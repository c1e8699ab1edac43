package templates

// Input is one field of a Form. What it is for the browser and for password
// managers follows from its name alone, so that a field is the same on every page.
type Input struct {
	Name  string // see inputs
	Value string // what is in it; never of passwords and codes
	// Choices of a select.
	Choices  []Choice
	Checked  bool
	Optional bool
	ReadOnly bool
	// MinLength of a new password, in characters.
	MinLength int
	// Hint is a message key, hint.<key>.
	Hint string
}

// Choice is one option of a select. Its text is Text, or the message Key.
type Choice struct {
	Value, Text, Key string
}

// The kinds of inputs that differ in their markup.
const (
	inputText     = "text"
	inputPassword = "password"
	inputCheckbox = "checkbox"
	inputSelect   = "select"
	inputFile     = "file"
	inputArea     = "textarea"
)

// Attributes are what an input is to the browser (HTML, autofill tokens; WCAG 2.2,
// 3.3.7 and 3.3.8).
type Attributes struct {
	Kind         string
	Type         string // of an input element
	Autocomplete string
	InputMode    string
	Pattern      string
	MaxLength    int
	Accept       string
	// Verbatim is set where nothing must be corrected or begin with a capital.
	Verbatim bool
}

type formField struct {
	Input
	Attributes
	V              *view // for the texts
	Invalid, Focus bool
}

// Describes are the ids of what explains the field.
func (f formField) Describes() string {
	switch {
	case f.Invalid && f.Hint != "":
		return "problems " + f.Name + "-hint"
	case f.Invalid:
		return "problems"
	case f.Hint != "":
		return f.Name + "-hint"
	}
	return ""
}

func (f formField) text() bool { return f.Kind == inputText || f.Kind == inputPassword }

func attributesOf(name string) Attributes {
	if a, known := inputs()[name]; known {
		return a
	}
	return Attributes{Kind: inputText, Type: "text", Autocomplete: "off"}
}

// inputs is the one table of all fields of the hosted forms.
func inputs() map[string]Attributes {
	text := func(autocomplete string) Attributes {
		return Attributes{Kind: inputText, Type: "text", Autocomplete: autocomplete, MaxLength: 200}
	}
	mail := func(autocomplete string) Attributes {
		return Attributes{Kind: inputText, Type: "email", Autocomplete: autocomplete, InputMode: "email", MaxLength: 320, Verbatim: true}
	}
	code := Attributes{
		Kind: inputText, Type: "text", Autocomplete: "one-time-code", InputMode: "numeric", Pattern: "[0-9 ]*", MaxLength: 11, Verbatim: true,
	}
	verbatim := func(a Attributes) Attributes { a.Verbatim = true; return a }
	return map[string]Attributes{
		"username":      {Kind: inputText, Type: "text", Autocomplete: "username", MaxLength: 320, Verbatim: true},
		"email":         mail("email"),
		"new_email":     mail("email"),
		"password":      {Kind: inputPassword, Type: "password", Autocomplete: "current-password"},
		"new_password":  {Kind: inputPassword, Type: "password", Autocomplete: "new-password", MaxLength: 256},
		"code":          code,
		"recovery_code": {Kind: inputText, Type: "text", Autocomplete: "off", MaxLength: 40, Verbatim: true},
		"token":         {Kind: inputText, Type: "text", Autocomplete: "off", MaxLength: 200, Verbatim: true},
		"confirmation":  {Kind: inputText, Type: "text", Autocomplete: "off", MaxLength: 320, Verbatim: true},
		"factor_name":   text("off"),

		"name":           text("name"),
		"given_name":     text("given-name"),
		"family_name":    text("family-name"),
		"middle_name":    text("additional-name"),
		"nickname":       text("nickname"),
		"gender":         text("sex"),
		"birthdate":      verbatim(Attributes{Kind: inputText, Type: "text", Autocomplete: "bday", MaxLength: 10}),
		"website":        {Kind: inputText, Type: "url", Autocomplete: "url", InputMode: "url", MaxLength: 2000, Verbatim: true},
		"phone_number":   {Kind: inputText, Type: "tel", Autocomplete: "tel", InputMode: "tel", MaxLength: 32, Verbatim: true},
		"street_address": {Kind: inputArea, Autocomplete: "street-address", MaxLength: 500},
		"locality":       text("address-level2"),
		"region":         text("address-level1"),
		"postal_code":    verbatim(text("postal-code")),
		"country":        text("country-name"),
		"zoneinfo":       {Kind: inputSelect, Autocomplete: "off"},
		"locale":         {Kind: inputSelect, Autocomplete: "language"},
		"client":         {Kind: inputSelect, Autocomplete: "off"},
		"picture":        {Kind: inputFile, Type: "file", Accept: "image/png,image/jpeg,image/gif,image/webp"},
		"remember":       {Kind: inputCheckbox, Type: "checkbox"},
		"terms":          {Kind: inputCheckbox, Type: "checkbox"},
	}
}
