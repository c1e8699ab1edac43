package templates

// formKinds lists every kind of Form with a sample and the messages that only code
// names, so that the tests find a missing text and draw every page.
func formKinds() []FormKind {
	var list []FormKind
	for _, part := range [][]FormKind{entranceKinds(), factorKinds(), selfKinds()} {
		list = append(list, part...)
	}
	return list
}

// formKeys are the messages that kinds of forms need.
func formKeys(has func(key string) bool) []string {
	var keys []string
	for _, k := range formKinds() {
		prefix := "form." + k.Name
		keys = append(keys, prefix+".title")
		for _, optional := range []string{".lead", ".submit"} {
			if has(prefix + optional) {
				keys = append(keys, prefix+optional)
			}
		}
		for _, in := range k.Sample.Inputs {
			keys = append(keys, "field."+in.Name)
			if in.Hint != "" {
				keys = append(keys, "hint."+in.Hint)
			}
			for _, c := range in.Choices {
				if c.Key != "" {
					keys = append(keys, c.Key)
				}
			}
		}
		keys = append(keys, prefixed("problem.", k.Problems)...)
		keys = append(keys, prefixed("notice.", k.Goods)...)
		keys = append(keys, prefixed("link.", k.Links)...)
	}
	return keys
}

func prefixed(prefix string, names []string) []string {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = prefix + name
	}
	return keys
}

// sampleForms are the kinds as pages, empty-handed and with everything that can be
// said on them.
func (r *Renderer) sampleForms(lang Language, page Page) []sample {
	var list []sample
	for _, k := range formKinds() {
		p := k.Sample
		p.Kind, p.Page = k.Name, page
		list = append(list, sample{"form", r.formView(lang, p)})
		for _, key := range k.Problems {
			p.Problems = append(p.Problems, FormProblem{Key: key, Count: 2, Detail: "d"})
		}
		for _, key := range k.Links {
			p.Links = append(p.Links, FormLink{Key: key, URL: "/" + key})
		}
		list = append(list, sample{"form", r.formView(lang, p)})
		for _, key := range k.Goods {
			q := k.Sample
			q.Kind, q.Page, q.Good = k.Name, page, key
			list = append(list, sample{"form", r.formView(lang, q)})
		}
	}
	return list
}
