package templates

// Text is what is said as plain text, for answers that are no page.
func (r *Renderer) Text(lang Language, s Said) (string, error) {
	return (&view{Lang: lang, renderer: r}).Say(s)
}
